//! Files that earlier versions wrote: every later version reads them.

use std::path::Path;

use handstamp_client::storage::{
    Cost, Passphrase, Protection, Replaced, SealedFile, SealingKey, Storage,
};
use handstamp_client::testing;

fn protections() -> [(&'static str, Protection); 3] {
    let passphrase = Passphrase::new("open sesame").with_cost(Cost { memory_kib: 64, passes: 1 });
    [
        ("key", Protection::Key(SealingKey::from_bytes([7; 32]))),
        ("passphrase", Protection::Passphrase(passphrase)),
        ("plain", Protection::Plain),
    ]
}

/// A copy of what was kept, because a file of others is tightened or set aside.
fn copy(name: &str, folder: &Path) -> std::path::PathBuf {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1").join(name);
    let path = folder.join(name);
    std::fs::copy(kept, &path).unwrap();
    path
}

#[test]
fn files_of_the_first_format_are_read_and_written_on() {
    for (name, protection) in protections() {
        let folder = tempfile::tempdir().unwrap();
        let file = SealedFile::new(copy(name, folder.path()), protection);
        let found = file.load().unwrap();
        let session = found.stored.session.as_ref().unwrap();
        assert_eq!(session.token().expose(), "kept-access", "{name}");
        assert_eq!(session.tokens.refresh_token.as_ref().unwrap().expose(), "kept-refresh");
        assert_eq!(session.tokens.expires_at.unwrap().to_string(), "2027-01-15T08:01:00.000Z");
        let written = file.replace(found.version.as_ref(), &found.stored).unwrap();
        assert!(matches!(written, Replaced::Stored(Some(_))));
    }
}

/// Writes the files anew, into the folder that this variable names: for a new format.
#[test]
fn files_for_later_versions_are_written_where_asked() {
    let Ok(folder) = std::env::var("HANDSTAMP_CLIENT_KEEP") else { return };
    for (name, protection) in protections() {
        let session = testing::session("kept-access", "kept-refresh", 60);
        let stored = handstamp_client::storage::Stored { session: Some(session), outbox: vec![] };
        let file = SealedFile::new(Path::new(&folder).join(name), protection);
        file.replace(None, &stored).unwrap();
    }
}
