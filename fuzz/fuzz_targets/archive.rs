//! Downloaded archives: zip, tar.gz and one inside the other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_host::data::archive;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let members = ["a.txt", "folder/b.txt"];
    if let Ok(files) = archive::unpack(Path::new("a.zip"), data, &members) {
        assert_eq!(files.len(), members.len());
    }
});
