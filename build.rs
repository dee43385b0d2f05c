//! Compiles every file below `proto/` without protoc: the API and the stored records become Rust, and the descriptors
//! (with their comments, which are the API's documentation) become what reflection serves.

use std::error::Error;

#[cfg(not(feature = "server"))]
fn main() -> Result<(), Box<dyn Error>> {
    Ok(())
}

#[cfg(feature = "server")]
fn main() -> Result<(), Box<dyn Error>> {
    use std::{env, fs, path::PathBuf};

    println!("cargo:rerun-if-changed=proto");
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("proto")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                files.push(path);
            }
        }
    }
    files.sort();

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    let descriptors = compiler.file_descriptor_set();
    let output = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(output.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().build_transport(true).compile_fds(descriptors)?;
    Ok(())
}
