//! `afterword init`: writes a commented settings file and the shipped rules as a starting point.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::output::{FAULTS, complain, say};
use crate::rules::parse::SHIPPED;

const SETTINGS: &str = include_str!("init.yaml");
const SCENARIOS: &str = include_str!("../../rules/postmortems.test.yaml");

pub(crate) fn init(directory: &Path) -> u8 {
    let files = [
        ("afterword.yaml", SETTINGS),
        SHIPPED,
        ("rules/postmortems.test.yaml", SCENARIOS),
    ];
    // Existing files are never overwritten, and the check comes first so that a refusal writes nothing.
    if let Some((there, _)) = files.iter().find(|(name, _)| directory.join(name).exists()) {
        complain(&format!(
            "{} already exists; move it, or choose another directory",
            directory.join(there).display()
        ));
        return FAULTS;
    }
    for (name, text) in files {
        let path = directory.join(name);
        if let Err(fault) = write(&path, text) {
            complain(&format!("cannot write {}: {fault}", path.display()));
            return FAULTS;
        }
        say(&format!("wrote {}", path.display()));
    }
    say("Next: `afterword check`, `afterword test`, `afterword serve`");
    0
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?
        .write_all(text.as_bytes())
}
