//! DNS guard against host names that resolve to this machine or to a link-local metadata service.
//!
//! A name in the settings may come to resolve to `127.0.0.1` or `169.254.169.254`, by mistake or
//! by DNS rebinding. Such addresses are used only where the settings write them (IP addresses are
//! not resolved, so they do not pass here) or say `localhost`. Private ranges stay usable.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// DNS resolver that drops local addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct GuardedResolver {
    /// Host to resolve instead of the one in the URL, which carries the certificate's name.
    host: Option<String>,
}

impl GuardedResolver {
    /// Builds a resolver that always resolves `host`, whatever name is requested.
    pub(crate) fn fixed(host: &str) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Self {
            host: Some(host.to_owned()),
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self
            .host
            .clone()
            .unwrap_or_else(|| name.as_str().to_owned());
        Box::pin(async move {
            // Port 0: reqwest takes the port of the address.
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let allowed = usable(&host, found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Filters the addresses of `host` that a connection may use.
fn usable(host: &str, found: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    if is_local_by_name(host) {
        return Ok(found);
    }
    let (local, allowed): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| is_local(address.ip()));
    match local.first() {
        Some(address) if allowed.is_empty() => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{host} resolves to {}, a loopback or link-local address; if this is intended, put that address into the settings",
                address.ip()
            ),
        )),
        _ => Ok(allowed),
    }
}

/// True for hosts that are local or literal by their own spelling: `localhost` (RFC 6761 §6.3) and
/// IP addresses.
fn is_local_by_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok()
}

/// True for loopback, link-local and unspecified addresses, also inside an IPv6 address, and for
/// the IPv6 metadata address of AWS.
fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unicast_link_local()
                || ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
                || embedded(ip).is_some_and(is_local)
        }
    }
}

/// IPv4 address embedded in an IPv4-compatible (RFC 4291 §2.5.5.1) or NAT64 (RFC 6052) address.
fn embedded(ip: Ipv6Addr) -> Option<IpAddr> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(IpAddr::from([a, b, c, d]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::net::SocketAddr;

    use super::{is_local, usable};

    fn addresses(ips: &[&str]) -> Vec<SocketAddr> {
        ips.iter()
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
            .collect()
    }

    #[test]
    fn local_addresses_in_every_form() {
        for ip in [
            "127.0.0.1",
            "127.8.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "::1",
            "::",
            "fe80::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254",
        ] {
            assert!(is_local(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "8.8.8.8",
            "169.253.0.1",
            "fd12::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "64:ff9b::808:808",
        ] {
            assert!(!is_local(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn name_with_only_local_addresses_is_refused() {
        for ip in ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"] {
            let error = usable("prom.example", addresses(&[ip])).unwrap_err();
            assert!(
                error.to_string().contains("prom.example resolves to"),
                "{error}"
            );
        }
    }

    #[test]
    fn local_addresses_of_a_mixed_answer_are_dropped() {
        let found = addresses(&["127.0.0.1", "10.0.0.5", "::1"]);
        assert_eq!(
            usable("prom.example", found).unwrap(),
            addresses(&["10.0.0.5"])
        );
    }

    #[test]
    fn configured_local_hosts_keep_their_addresses() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "prom.localhost",
            "127.0.0.1",
            "::1",
        ] {
            let found = addresses(&["127.0.0.1"]);
            assert_eq!(usable(host, found.clone()).unwrap(), found, "{host}");
        }
        assert!(usable("localhost.example", addresses(&["127.0.0.1"])).is_err());
    }
}
