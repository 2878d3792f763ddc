//! Activity and authentication of a source in words.

use chrono::TimeDelta;

use crate::app::intake::source_status::{self, SourceOverview, SourceProtocol};
use crate::config::credentials::Auth;
use crate::config::silence::SilentAfter;
use crate::config::source_auth::SourceAuth;
use crate::http::format::time::duration;

/// Hourly rate of a 24-hour count.
pub(crate) fn hourly_rate(count: &u64) -> String {
    match count {
        0 => "0".to_owned(),
        1..3 => "under 0.1".to_owned(),
        3..240 => format!("{}.{}", count / 24, count * 10 / 24 % 10),
        _ => (count / 24).to_string(),
    }
}

/// Warning about a silent source; `None` if it is not silent.
pub(crate) fn silence_sentence(source: &SourceOverview) -> Option<String> {
    let (quiet, longest) = source_status::silence(source)?;
    let (quiet, name) = (length(quiet), &source.name);
    Some(match (source.silent_after, longest) {
        (SilentAfter::After(stated), _) => {
            format!(
                "No messages from {name} for {quiet}; its silent_after is {}.",
                length(stated)
            )
        }
        (_, Some(longest)) => {
            format!(
                "No messages from {name} for {quiet}; its longest silence in the 14 days before was {}.",
                length(longest)
            )
        }
        (_, None) => format!("No messages from {name} for {quiet}."),
    })
}

fn length(length: TimeDelta) -> String {
    duration(length.num_seconds())
}

pub(crate) fn expected_interval(source: &SourceOverview) -> String {
    let longest = source
        .rhythm
        .longest
        .map(|longest| format!("longest recent silence {}", length(longest)));
    match (source.silent_after, longest, source.rhythm.silent_after) {
        (SilentAfter::Never, ..) => "none (silent_after: never)".to_owned(),
        (SilentAfter::After(stated), ..) => format!("at most {} (silent_after)", length(stated)),
        (SilentAfter::Learned, Some(longest), Some(after)) => {
            format!("at most {} ({longest})", length(after))
        }
        (SilentAfter::Learned, ..) => {
            "not known yet; silent_after in the settings can set it".to_owned()
        }
    }
}

pub(crate) fn authentication(source: &SourceOverview, guarded: bool) -> String {
    match (&source.auth, source.speaks) {
        (SourceAuth::Shown(Auth::None), SourceProtocol::Alertmanager | SourceProtocol::Events)
            if guarded =>
        {
            "token of access in the settings".to_owned()
        }
        (SourceAuth::Shown(Auth::None), _) if guarded => {
            "none (any client that reaches this address)".to_owned()
        }
        (SourceAuth::Shown(Auth::None), _) => "none (localhost only)".to_owned(),
        (SourceAuth::Shown(Auth::Bearer(_)), _) => "bearer token".to_owned(),
        (SourceAuth::Shown(Auth::Basic { username, .. }), _) => {
            format!("password of the user {username}")
        }
        (SourceAuth::Shown(Auth::Header { name, .. }), _) => format!("header {name}"),
        (SourceAuth::Query { name, .. }, _) => format!("query parameter {name}"),
        (SourceAuth::Signature { .. } | SourceAuth::Certificate, _) => {
            "signature of each message".to_owned()
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
