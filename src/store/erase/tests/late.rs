//! Writes that were on their way when erasing began.

use super::*;

#[test]
fn a_write_that_was_planned_before_erasing_does_not_bring_a_value_back_and_a_new_value_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (mut world, requests) = filled(path);
    let opened = open(path, options()).unwrap();
    let expected = world.head();
    // Appended before erasing begins, and applied while it goes on; and planned before it, and appended after.
    let appended = world.change(vec![(profile(ADA), Some(fields(SECRET, 600, 0)))]);
    opened.log.append(expected, std::slice::from_ref(&appended), world.digest).unwrap();
    let has_begun = AtomicBool::new(false);
    thread::scope(|scope| {
        let erasing = scope.spawn(|| {
            opened.erase_in_steps(&[(ACCOUNT, ADA)], &requests, &mut || {
                has_begun.store(true, Ordering::SeqCst);
                Ok(())
            })
        });
        while !has_begun.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        thread::sleep(std::time::Duration::from_millis(200));
        assert!(!erasing.is_finished(), "it waits for what the state does not have yet");
        opened.store.apply(&[appended]).unwrap();
        erasing.join().unwrap().unwrap();
    });
    world.write(&opened, vec![(profile(ADA), None), (Key::Request(requests[1].clone()), None)]);
    assert_eq!(holding(path, Some(&opened), SECRET), Vec::<String>::new());
    let until = Revision(expected.0 + 1);
    check(&opened, &world.without(&keys(&requests), until));
    // A name that is given later is nobody's to erase, until it is asked for again.
    world.write(&opened, vec![(profile(ADA), Some(fields("newname", 1, 0)))]);
    world.write(&opened, vec![(profile(ADA), Some(fields("newname", 2, 0)))]);
    check(&opened, &world.without(&keys(&requests), until));
    opened.erase_personal(&[(ACCOUNT, BOB)], &[]).unwrap();
    assert!(holding(path, Some(&opened), "newname").len() > 2);
    opened.erase_personal(&[(ACCOUNT, ADA)], &[]).unwrap();
    assert_eq!(holding(path, Some(&opened), "newname"), Vec::<String>::new());
}
