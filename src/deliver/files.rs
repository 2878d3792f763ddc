//! Delivery of drafts and invites to files. Writes are atomic: a reader, or a crash, finds either
//! the old text or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags};

use crate::model::delivery::DeliveryOutcome;

/// Maximum length of a name in bytes: file systems allow 255, and the temporary name needs a few.
const LONGEST_NAME: usize = 240;

/// Writes `text` to the file and creates the directory if needed. An unchanged file is left alone;
/// a name with path components is refused.
#[must_use]
pub(crate) fn write(directory: &Path, file: &str, text: &str) -> DeliveryOutcome {
    put(directory, file, text, None)
}

/// Replaces the file as [`write`] does, but only while its text is still `seen` (`None`: it does
/// not exist), so that an edit saved in the meantime is kept. Otherwise [`DeliveryOutcome::Retry`]:
/// read it again.
#[must_use]
pub(crate) fn replace(
    directory: &Path,
    file: &str,
    seen: Option<&str>,
    text: &str,
) -> DeliveryOutcome {
    put(directory, file, text, Some(seen))
}

/// Reads the file; `None` when it does not exist.
///
/// # Errors
/// A name with path components ([`ErrorKind::InvalidInput`]), text that is not UTF-8
/// ([`ErrorKind::InvalidData`]), or the I/O error.
pub(crate) fn read(directory: &Path, file: &str) -> io::Result<Option<String>> {
    if let Some(fault) = misnamed(file) {
        return Err(io::Error::new(ErrorKind::InvalidInput, fault));
    }
    let path = directory.join(file);
    match fs::read(&path) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
            io::Error::new(
                ErrorKind::InvalidData,
                format!("{} is not UTF-8 text: save it as UTF-8", path.display()),
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks that files can be written to the directory, which may have to be created; says why not,
/// and what to do.
///
/// # Errors
/// When they cannot.
pub(crate) fn check(directory: &Path) -> Result<(), String> {
    let existing = directory.ancestors().find(|path| path.exists());
    let existing = existing.filter(|path| !path.as_os_str().is_empty());
    writable(existing.unwrap_or(Path::new(".")))
        .map_err(|error| advice(directory, "the next file", &error))
}

fn writable(directory: &Path) -> io::Result<()> {
    if !directory.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK)?;
    let disk = rustix::fs::statvfs(directory)?;
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(ErrorKind::ReadOnlyFilesystem.into());
    }
    if disk.f_bavail == 0 {
        return Err(ErrorKind::StorageFull.into());
    }
    Ok(())
}

fn put(directory: &Path, file: &str, text: &str, seen: Option<Option<&str>>) -> DeliveryOutcome {
    if let Some(fault) = misnamed(file) {
        return DeliveryOutcome::Refused(fault);
    }
    match try_put(directory, file, text, seen) {
        Ok(true) => DeliveryOutcome::Delivered,
        Ok(false) => DeliveryOutcome::Retry(format!(
            "{} was edited at the same moment; it will be read and written again",
            directory.join(file).display()
        )),
        Err(error) => DeliveryOutcome::Retry(advice(directory, file, &error)),
    }
}

/// Describes the fault of an invalid file name.
fn misnamed(file: &str) -> Option<String> {
    let fault = if file.is_empty() || file == "." || file == ".." {
        "is no name for a file"
    } else if file.contains(['/', '\\', '\0']) {
        "would lead out of its directory"
    } else if file.len() > LONGEST_NAME {
        "is too long a name for a file"
    } else {
        return None;
    };
    Some(format!("{file:?} {fault}"))
}

/// Attempts one replacement; false when the text of the file is no longer `seen`.
fn try_put(
    directory: &Path,
    file: &str,
    text: &str,
    seen: Option<Option<&str>>,
) -> io::Result<bool> {
    let path = directory.join(file);
    if bytes(&path)?.as_deref() == Some(text.as_bytes()) {
        // A crash may have come between the rename and its becoming durable.
        sync(directory)?;
        return Ok(true);
    }
    fs::create_dir_all(directory)?;
    let temporary = directory.join(format!(".{file}.tmp"));
    let result = fill(&temporary, &path, text).and_then(|()| {
        // As late as can be: a person may have the file open.
        if seen.is_some_and(|seen| !matches!(bytes(&path), Ok(found) if found.as_deref() == seen.map(str::as_bytes))) {
            return Ok(false);
        }
        fs::rename(&temporary, &path)?;
        Ok(true)
    });
    if !matches!(result, Ok(true)) {
        // The fault that prevents the write may prevent this too; the next attempt removes it.
        drop(fs::remove_file(&temporary));
        return result;
    }
    sync(directory)?;
    Ok(true)
}

/// Writes `text` durably to the temporary file, with the permissions of the existing one.
fn fill(temporary: &Path, path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Made anew, so that a link laid under this name leads nowhere.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(temporary)?;
    if let Ok(found) = fs::metadata(path) {
        file.set_permissions(found.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Syncs the directory, which makes a rename durable.
fn sync(directory: &Path) -> io::Result<()> {
    // A relative directory may be the empty path, which cannot be opened.
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    File::open(directory)?.sync_all()
}

fn bytes(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn advice(directory: &Path, file: &str, error: &io::Error) -> String {
    let directory = directory.display();
    let what = format!("{file} cannot be written");
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!(
                "{what}: the disk that holds {directory} is full; free some space, and the write is retried"
            )
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!(
                "{what}: {directory} must be writable for the user that runs afterword ({error})"
            )
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            format!(
                "{what}: {directory} is not a directory; move what is there, or name another directory in the settings"
            )
        }
        ErrorKind::IsADirectory => {
            format!("{what}: a directory of that name is in {directory}; move it elsewhere")
        }
        _ => format!("{what} in {directory}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn makes_the_directory_and_leaves_nothing_but_the_file() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("a/b");
        assert_eq!(read(&directory, "x.md").unwrap(), None);
        assert_eq!(
            write(&directory, "x.md", "one ü\n"),
            DeliveryOutcome::Delivered
        );
        assert_eq!(
            write(&directory, "x.md", "two\n"),
            DeliveryOutcome::Delivered
        );
        assert_eq!(read(&directory, "x.md").unwrap().as_deref(), Some("two\n"));
        assert_eq!(names(&directory), ["x.md"]);
    }

    #[cfg(unix)]
    #[test]
    fn leaves_an_unchanged_file_alone_and_keeps_permissions() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x.md");
        assert_eq!(
            write(home.path(), "x.md", "one"),
            DeliveryOutcome::Delivered
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        assert_eq!(
            write(home.path(), "x.md", "one"),
            DeliveryOutcome::Delivered
        );
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
        assert_eq!(
            write(home.path(), "x.md", "two"),
            DeliveryOutcome::Delivered
        );
        let after = fs::metadata(&path).unwrap();
        assert_ne!(after.ino(), before);
        assert_eq!(after.mode() & 0o777, 0o664);
    }

    #[test]
    fn refuses_names_that_lead_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let inner = home.path().join("inner");
        for file in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/etc/x",
            "a\\b",
            "a\0b",
            &"x".repeat(300),
        ] {
            assert!(
                matches!(write(&inner, file, "text"), DeliveryOutcome::Refused(_)),
                "{file:?}"
            );
            assert_eq!(
                read(&inner, file).unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{file:?}"
            );
        }
        assert!(names(home.path()).is_empty());
    }

    #[test]
    fn says_what_to_do_when_the_directory_is_a_file() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("drafts"), "").unwrap();
        let DeliveryOutcome::Retry(why) = write(&home.path().join("drafts"), "x.md", "text") else {
            panic!("not a retry")
        };
        assert!(
            why.contains("is not a directory; move what is there"),
            "{why}"
        );
    }

    #[test]
    fn says_what_to_do_when_disk_or_permission_is_in_the_way() {
        let told = |kind: ErrorKind| advice(Path::new("data"), "x.md", &io::Error::from(kind));
        assert!(told(ErrorKind::StorageFull).contains("the disk that holds data is full"));
        assert!(told(ErrorKind::PermissionDenied).contains("data must be writable"));
    }

    #[test]
    fn a_directory_in_the_way_leaves_no_temporary_file() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("x.md")).unwrap();
        let DeliveryOutcome::Retry(why) = write(home.path(), "x.md", "text") else {
            panic!("not a retry")
        };
        assert!(why.contains("a directory of that name"), "{why}");
        assert_eq!(names(home.path()), ["x.md"]);
    }

    #[test]
    fn leftover_temporary_file_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(".x.md.tmp"), "half").unwrap();
        assert_eq!(
            write(home.path(), "x.md", "whole"),
            DeliveryOutcome::Delivered
        );
        assert_eq!(names(home.path()), ["x.md"]);
        assert_eq!(read(home.path(), "x.md").unwrap().as_deref(), Some("whole"));
    }

    #[test]
    fn text_that_is_not_utf_8_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("x.md"), [0xff, 0xfe]).unwrap();
        assert_eq!(
            read(home.path(), "x.md").unwrap_err().kind(),
            ErrorKind::InvalidData
        );
    }

    #[test]
    fn an_edit_made_meanwhile_is_not_lost() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(
            replace(home.path(), "x.md", None, "one"),
            DeliveryOutcome::Delivered
        );
        fs::write(home.path().join("x.md"), "edited").unwrap();
        assert!(matches!(
            replace(home.path(), "x.md", Some("one"), "two"),
            DeliveryOutcome::Retry(_)
        ));
        assert!(matches!(
            replace(home.path(), "x.md", None, "two"),
            DeliveryOutcome::Retry(_)
        ));
        assert_eq!(names(home.path()), ["x.md"]);
        assert_eq!(
            replace(home.path(), "x.md", Some("edited"), "merged"),
            DeliveryOutcome::Delivered
        );
        assert_eq!(
            read(home.path(), "x.md").unwrap().as_deref(),
            Some("merged")
        );
    }
}
