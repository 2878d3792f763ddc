//! Activity and authentication of a source in words.

use chrono::TimeDelta;

use crate::app::intake::source_status::{self, SourceShown, Speaks};
use crate::config::credentials::Auth;
use crate::config::silence::SilentAfter;
use crate::config::source_auth::SourceAuth;
use crate::http::format::time::duration;

/// A count of 24 hours as so many an hour.
pub(crate) fn hourly_rate(count: &u64) -> String {
    match count {
        0 => "0".to_owned(),
        1..3 => "under 0.1".to_owned(),
        3..240 => format!("{}.{}", count / 24, count * 10 / 24 % 10),
        _ => (count / 24).to_string(),
    }
}

/// That a source has fallen silent, in a sentence.
pub(crate) fn silence_sentence(source: &SourceShown) -> Option<String> {
    let (quiet, longest) = source_status::silence(source)?;
    let (quiet, name) = (length(quiet), &source.name);
    Some(match (source.silent_after, longest) {
        (SilentAfter::After(stated), _) => {
            format!(
                "Nothing came from {name} for {quiet}; its silent_after expects something within {}.",
                length(stated)
            )
        }
        (_, Some(longest)) => {
            format!(
                "Nothing came from {name} for {quiet}; its longest silence in the fortnight before was {}.",
                length(longest)
            )
        }
        (_, None) => format!("Nothing came from {name} for {quiet}."),
    })
}

fn length(length: TimeDelta) -> String {
    duration(length.num_seconds())
}

pub(crate) fn expected_interval(source: &SourceShown) -> String {
    let longest = source
        .rhythm
        .longest
        .map(|longest| format!("its longest silence of late was {}", length(longest)));
    match (source.silent_after, longest, source.rhythm.silent_after) {
        (SilentAfter::Never, ..) => "it may be silent for as long as it likes, as silent_after says".to_owned(),
        (SilentAfter::After(stated), ..) => format!("a silence longer than {} is told, as silent_after says", length(stated)),
        (SilentAfter::Learned, Some(longest), Some(after)) => format!("{longest}; one longer than {} is told", length(after)),
        (SilentAfter::Learned, ..) => {
            "too little is known to tell whether a silence is unusual; silent_after in the settings can state it".to_owned()
        }
    }
}

pub(crate) fn authentication(source: &SourceShown, guarded: bool) -> String {
    match (&source.auth, source.speaks) {
        (SourceAuth::Shown(Auth::None), Speaks::Alertmanager | Speaks::Events) if guarded => {
            "the token under access in the settings".to_owned()
        }
        (SourceAuth::Shown(Auth::None), _) if guarded => {
            "nothing: whoever reaches this address may send".to_owned()
        }
        (SourceAuth::Shown(Auth::None), _) => "nothing: only this machine may send".to_owned(),
        (SourceAuth::Shown(Auth::Bearer(_)), _) => "a bearer token".to_owned(),
        (SourceAuth::Shown(Auth::Basic { username, .. }), _) => {
            format!("the password of the user {username}")
        }
        (SourceAuth::Shown(Auth::Header { name, .. }), _) => format!("the header {name}"),
        (SourceAuth::Query { name, .. }, _) => format!("{name} in the address"),
        (SourceAuth::Signature { .. } | SourceAuth::Certificate, _) => {
            "a signature over each message".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::hourly_rate;

    #[test]
    fn a_rate_is_so_many_an_hour() {
        for (count, told) in [
            (0, "0"),
            (1, "under 0.1"),
            (3, "0.1"),
            (12, "0.5"),
            (24, "1.0"),
            (239, "9.9"),
            (1440, "60"),
        ] {
            assert_eq!(hourly_rate(&count), told, "{count}");
        }
    }
}
