//! Checkpoints in a file outside the database: a line each, synced before it counts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use handstamp_core::chain::Checkpoint;

/// How much of the end of the file is read: many checkpoints, and more than one of the longest.
const TAIL: u64 = 256 * 1024;

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Outside(PathBuf);

impl Outside {
    /// Makes the file where it is missing, and shows that it can be appended to.
    ///
    /// # Errors
    /// An I/O error: its folder is missing, or it may not be written.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let outside = Self(path.to_path_buf());
        outside.append_to()?;
        Ok(outside)
    }

    fn append_to(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.0)
    }

    /// Appends a checkpoint, and returns once it is on disk.
    ///
    /// # Errors
    /// An I/O error; the line may then be there, in part or whole.
    pub(super) fn append(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let mut file = self.append_to()?;
        // A line that was cut off stays a line of its own.
        let begin = if ends_in_a_line(&mut file)? { "" } else { "\n" };
        file.write_all(format!("{begin}{checkpoint}\n").as_bytes())?;
        file.sync_all()
    }

    /// The last checkpoint that `is_signed`: whatever somebody else may have appended is looked
    /// past.
    ///
    /// # Errors
    /// An I/O error; a file that is gone holds nothing.
    pub(super) fn last(
        &self,
        is_signed: impl Fn(&Checkpoint) -> bool,
    ) -> io::Result<Option<Checkpoint>> {
        let mut file = match File::open(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let start = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        let tail = String::from_utf8_lossy(&tail);
        Ok(tail.lines().rev().filter_map(|line| line.parse().ok()).find(is_signed))
    }
}

fn ends_in_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use handstamp_core::KeyRing;
    use handstamp_core::chain::{ChainEnd, Sealer};
    use handstamp_core::time::Timestamp;

    use super::*;

    fn checkpoint(sealer: &Sealer, at: i64) -> Checkpoint {
        sealer.checkpoint(Timestamp::from_millis(at), vec![ChainEnd::start(1)])
    }

    #[test]
    fn the_last_checkpoint_of_ours_is_found_whatever_stands_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let outside = Outside::open(&folder.path().join("checkpoints")).unwrap();
        let ours = Sealer::new(KeyRing::generate().unwrap());
        let theirs = Sealer::new(KeyRing::generate().unwrap());
        let is_ours = |it: &Checkpoint| ours.is_checkpoint(it);
        assert_eq!(outside.last(is_ours).unwrap(), None);
        for at in [1, 2] {
            outside.append(&checkpoint(&ours, at)).unwrap();
        }
        outside.append(&checkpoint(&theirs, 3)).unwrap();
        std::fs::write(&outside.0, {
            let text = std::fs::read_to_string(&outside.0).unwrap();
            text + "{\"handstamp_checkpoint\":1,\"at\":9"
        })
        .unwrap();
        assert_eq!(outside.last(is_ours).unwrap(), Some(checkpoint(&ours, 2)));
        outside.append(&checkpoint(&ours, 4)).unwrap();
        assert_eq!(outside.last(is_ours).unwrap(), Some(checkpoint(&ours, 4)), "after a torn line");
        std::fs::remove_file(&outside.0).unwrap();
        assert_eq!(outside.last(is_ours).unwrap(), None);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_when_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Outside::open(&folder.path().join("no folder").join("file")).is_err());
    }
}
