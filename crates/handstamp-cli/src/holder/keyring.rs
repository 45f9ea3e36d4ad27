//! The keyring of a Linux desktop, by the Secret Service API over D-Bus.

use std::any::Any;
use std::collections::HashMap;
use std::io::ErrorKind;

use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error, Result};
use zbus::blocking::Connection;
use zbus::blocking::fdo::DBusProxy;
use zbus_secret_service_keyring_store::Store;

/// The bus name of whatever keeps secrets.
const SERVICE: &str = "org.freedesktop.secrets";

/// A keyring that is looked for when it is asked, on the thread that waits for it and not for ever.
#[derive(Debug)]
pub(super) struct Desktop;

impl CredentialStoreApi for Desktop {
    fn vendor(&self) -> String {
        "the keyring of this desktop".into()
    }

    fn id(&self) -> String {
        SERVICE.into()
    }

    fn build(
        &self,
        service: &str,
        user: &str,
        modifiers: Option<&HashMap<&str, &str>>,
    ) -> Result<Entry> {
        if !is_there()? {
            return Err(Error::NotSupportedByStore("no keyring on the session bus".into()));
        }
        Store::new()?.build(service, user, modifiers)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Whether something keeps secrets here, or could be started. One that is there and does not work
/// is not one that is absent.
fn is_there() -> Result<bool> {
    let bus = match Connection::session() {
        Ok(bus) => bus,
        Err(error) if is_absent(&error) => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    let bus = DBusProxy::new(&bus).map_err(failed)?;
    let runs = bus.name_has_owner(zbus::names::BusName::from_static_str(SERVICE).map_err(failed)?);
    if runs.map_err(failed)? {
        return Ok(true);
    }
    let names = bus.list_activatable_names().map_err(failed)?;
    Ok(names.iter().any(|name| name.as_str() == SERVICE))
}

/// Whether there is no session bus at all: this is no desktop.
fn is_absent(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::Address(_) => true,
        zbus::Error::InputOutput(error) | zbus::Error::Connection(error, _) => {
            error.kind() == ErrorKind::NotFound
        }
        _ => false,
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::PlatformFailure(Box::new(error))
}
