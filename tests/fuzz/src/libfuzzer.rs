//! libFuzzer on the target that the environment variable `TARGET` names. `run` starts it.

#![no_main]

use fuzz::{TARGETS, Target};
use std::{env, process, sync::LazyLock};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = env::var("TARGET").unwrap_or_default();
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.map(|(_, target)| *target).unwrap_or_else(|| {
        eprintln!("TARGET is none of {:?}", TARGETS.map(|(known, _)| known));
        process::exit(2)
    })
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    TARGET(input);
});
