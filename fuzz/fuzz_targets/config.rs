//! Run configurations: whatever the text, a checked configuration or an error; what is written reads
//! back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_host::config::{ConfigDraft, DataKind};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(table) = text.parse::<toml::Table>() else {
        return;
    };
    let mut draft = ConfigDraft::new();
    if draft.table("fuzz", table).is_err() {
        return;
    }
    for kind in [DataKind::Image, DataKind::Series] {
        let Ok(config) = draft.finish(kind) else {
            continue;
        };
        let written = config
            .to_toml()
            .expect("a checked configuration can be written");
        let mut again = ConfigDraft::new();
        let table = written
            .parse::<toml::Table>()
            .expect("what was written is TOML");
        again.table("again", table).expect("its keys are known");
        assert_eq!(again.finish(kind).expect("its values are valid"), config);
    }
});
