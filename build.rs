//! Compiles every `.proto` file below `proto/`, without protoc, and leaves the descriptors for reflection.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(feature = "server")]
    protos::compile()?;
    Ok(())
}

#[cfg(feature = "server")]
mod protos {
    use std::{
        env, fs,
        path::{Path, PathBuf},
    };

    const ROOT: &str = "proto";

    pub(super) fn compile() -> Result<(), Box<dyn std::error::Error>> {
        println!("cargo:rerun-if-changed={ROOT}");
        let mut files = Vec::new();
        collect(Path::new(ROOT), &mut files)?;
        // Sorted, so that the output does not depend on the order of a directory listing.
        files.sort();
        let out = PathBuf::from(env::var("OUT_DIR")?);
        // Reflection shows the API alone: how records are stored is nobody's business.
        let api: Vec<&PathBuf> = files.iter().filter(|file| file.starts_with("proto/rolecall/v1")).collect();
        let mut compiler = protox::Compiler::new([ROOT])?;
        compiler.include_source_info(true).include_imports(true).open_files(&api)?;
        fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
        compiler.open_files(&files)?;
        tonic_prost_build::configure().build_transport(true).compile_fds(compiler.file_descriptor_set())?;
        Ok(())
    }

    fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                collect(&path, files)?;
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                files.push(path);
            }
        }
        Ok(())
    }
}
