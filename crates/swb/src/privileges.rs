//! Becoming another user for good: what `serve --user` does once it has bound its port.

use nix::unistd::{
    Gid, Group, Uid, User, getgrouplist, getgroups, getresgid, getresuid, setgroups, setresgid,
    setresuid, setuid,
};
use std::ffi::CString;
use std::fmt;
use std::os::unix::fs::lchown;

use switchboard::Endpoint;

use crate::exit::Failure;

/// Who a server becomes.
#[derive(Debug)]
pub(crate) struct Privileges {
    /// As it was written, for what is told.
    name: String,
    uid: Uid,
    gid: Gid,
    /// The supplementary groups, with the group itself.
    groups: Vec<Gid>,
}

impl Privileges {
    /// Looks the names up, before anything is bound.
    ///
    /// # Errors
    /// There is no such user or group, or it is root, who would keep every privilege.
    pub(crate) fn find(user: &str, group: Option<&str>) -> Result<Privileges, Failure> {
        let unknown = |what: &str, name: &str, why: &dyn fmt::Display| {
            Failure::usage(format_args!("--{what}: there is no {what} {name}{why}"))
        };
        let found = look_up(user, User::from_name, |uid| User::from_uid(Uid::from_raw(uid)));
        let found = found.map_err(|error| unknown("user", user, &format_args!(": {error}")))?;
        let uid = match (&found, user.parse()) {
            (Some(found), _) => found.uid,
            // A number needs no name.
            (None, Ok(uid)) => Uid::from_raw(uid),
            (None, Err(_)) => return Err(unknown("user", user, &"")),
        };
        let gid = match group {
            Some(group) => {
                let named =
                    look_up(group, Group::from_name, |gid| Group::from_gid(Gid::from_raw(gid)));
                match (named, group.parse()) {
                    (Ok(Some(named)), _) => named.gid,
                    (_, Ok(gid)) => Gid::from_raw(gid),
                    _ => return Err(unknown("group", group, &"")),
                }
            }
            None => match &found {
                Some(found) => found.gid,
                None => {
                    return Err(Failure::usage(format_args!(
                        "--user: no user has the number {uid}, so its group is not known: give \
                         --group too"
                    )));
                }
            },
        };
        if uid.is_root() {
            return Err(Failure::usage("--user: root keeps every privilege: name another user"));
        }
        Ok(Privileges { name: user.to_owned(), uid, gid, groups: groups(found.as_ref(), gid) })
    }

    /// Becomes that user, with that group and its supplementary ones and no others, and sees that
    /// there is no way back. The path of a Unix socket is given to the user first, so that it can
    /// be connected to as before by whom its mode lets.
    ///
    /// # Errors
    /// Not permitted: nothing is to be served then.
    pub(crate) fn take(&self, endpoints: &[Endpoint]) -> Result<(), Failure> {
        if self.is_taken() && getgroups().is_ok_and(|groups| groups.contains(&self.gid)) {
            return Ok(());
        }
        let fail = |what: &str, why: &str| {
            Failure::usage(format_args!(
                "--user: cannot {what} {}: {}: start as root, or leave it out",
                self.name,
                why.to_lowercase()
            ))
        };
        let refused = |what: &'static str| move |error: nix::Error| fail(what, error.desc());
        for endpoint in endpoints {
            if let Endpoint::Unix(path) = endpoint {
                // Not through a link that somebody else has put there meanwhile.
                let given = lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()));
                given.map_err(|error| fail("give the socket's path to", &error.to_string()))?;
            }
        }
        setgroups(&self.groups).map_err(refused("take the groups of"))?;
        setresgid(self.gid, self.gid, self.gid).map_err(refused("take the group of"))?;
        setresuid(self.uid, self.uid, self.uid).map_err(refused("become"))?;
        if !self.is_taken() || setuid(Uid::from_raw(0)).is_ok() {
            return Err(Failure::usage(format_args!(
                "--user: became {}, and could become root again: nothing is served so",
                self.name
            )));
        }
        Ok(())
    }

    /// Whether every one of the process's users and groups is this one.
    fn is_taken(&self) -> bool {
        let user =
            getresuid().is_ok_and(|now| [now.real, now.effective, now.saved] == [self.uid; 3]);
        user && getresgid().is_ok_and(|now| [now.real, now.effective, now.saved] == [self.gid; 3])
    }
}

/// What has that name, or else that number.
fn look_up<T>(
    name: &str,
    by_name: impl Fn(&str) -> nix::Result<Option<T>>,
    by_number: impl Fn(u32) -> nix::Result<Option<T>>,
) -> nix::Result<Option<T>> {
    match (by_name(name), name.parse()) {
        (Ok(None), Ok(number)) => by_number(number),
        (found, _) => found,
    }
}

/// The groups that the user is in, by the system's list.
fn groups(user: Option<&User>, gid: Gid) -> Vec<Gid> {
    let named = user.and_then(|user| CString::new(user.name.as_str()).ok());
    named.and_then(|name| getgrouplist(&name, gid).ok()).unwrap_or_else(|| vec![gid])
}
