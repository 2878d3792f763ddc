//! Request bodies, read within a limit for each body and a limit for all bodies together.

use std::io::{ErrorKind, Read, Write};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http_body_util::BodyExt;

use super::body_buffer::BodyBuffer;
use super::error::Error;
use crate::app::App;
use crate::app::intake::commit::{ReceivedBody, Unstored};

/// The most bytes of a body that are read, unpacked. Alertmanager's largest groups are a few MiB.
pub(crate) const LIMIT: usize = 32 * 1024 * 1024;
/// Bytes decompressed per step.
const STEP: usize = 256 * 1024;
/// A packed body larger than this is unpacked off the async threads.
const SMALL: usize = 64 * 1024;

/// Reads a body within the limits. One that is too long, or finds no room, is refused before it is
/// read if its length is declared.
pub(crate) async fn body(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<ReceivedBody, Error> {
    read_within(LIMIT, app, headers, body).await
}

/// Reads a body within a limit in bytes, which holds both as sent and decompressed.
pub(crate) async fn read_within(
    limit: usize,
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<ReceivedBody, Error> {
    let packed = match headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes().to_ascii_lowercase())
        .as_deref()
    {
        None | Some(b"" | b"identity") => false,
        Some(b"gzip" | b"x-gzip") => true,
        Some(_) => return Err(Error::Encoding),
    };
    let whole = packed_within(limit, app, headers, body).await?;
    if !packed {
        return Ok(whole);
    }
    unpack_somewhere(limit, app, whole).await
}

/// Reads a body without decompressing it; the caller does.
pub(crate) async fn read_compressed(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<ReceivedBody, Error> {
    packed_within(LIMIT, app, headers, body).await
}

async fn packed_within(
    limit: usize,
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<ReceivedBody, Error> {
    let told = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or(0);
    if told > limit {
        return Err(Error::TooLarge(limit));
    }
    // Looked at, not taken: a sender that promises much and sends little must not keep others out.
    if !app.intake.commits.has_room(told) {
        return Err(Unstored::Busy.into());
    }
    read(limit, app, body, told).await
}

async fn read(limit: usize, app: &App, mut body: Body, told: usize) -> Result<ReceivedBody, Error> {
    let mut room = app.intake.commits.reserve(0)?;
    let mut first = Bytes::new();
    let mut rest = BodyBuffer::up_to(if told == 0 { limit } else { told });
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| Error::BadRequest("the body ended early; send it again".to_owned()))?;
        // The other kind is trailers.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        if room.bytes() + piece.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        room.add(app.intake.commits.reserve(piece.len())?);
        // Most bodies come in one piece, and need no copy then.
        if first.is_empty() && rest.len() == 0 {
            first = piece;
            continue;
        }
        let written = rest
            .write_all(&std::mem::take(&mut first))
            .and_then(|()| rest.write_all(&piece));
        written.map_err(|_| Unstored::Busy)?;
    }
    let bytes = if rest.len() == 0 {
        first
    } else {
        rest.into_bytes()
    };
    Ok(ReceivedBody { bytes, room })
}

async fn unpack_somewhere(
    limit: usize,
    app: &App,
    packed: ReceivedBody,
) -> Result<ReceivedBody, Error> {
    let mut room = app.intake.commits.reserve(0)?;
    let mut bytes = BodyBuffer::up_to(limit + STEP);
    let mut reader = MultiGzDecoder::new(std::io::Cursor::new(packed.bytes.clone()));
    let small = packed.len() <= SMALL;
    loop {
        room.add(app.intake.commits.reserve(STEP)?);
        let step = move || {
            let read = std::io::copy(&mut reader.by_ref().take(STEP as u64), &mut bytes);
            (reader, bytes, read)
        };
        // A small one unpacks to a thousand times its size at the most, a step at a time.
        let (same_reader, same_bytes, read) = if small {
            tokio::task::yield_now().await;
            step()
        } else {
            tokio::task::spawn_blocking(step)
                .await
                .map_err(|panic| Error::Internal(anyhow::anyhow!(panic)))?
        };
        (reader, bytes) = (same_reader, same_bytes);
        let read = read.map_err(|fault| match fault.kind() {
            ErrorKind::OutOfMemory => Unstored::Busy.into(),
            _ => Error::BadRequest(format!(
                "the body is not the gzip that its Content-Encoding says: {fault}"
            )),
        })?;
        if bytes.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        if read == 0 {
            return Ok(ReceivedBody {
                bytes: bytes.into_bytes(),
                room,
            });
        }
    }
}
