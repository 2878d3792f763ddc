//! Conditions of incidents as they were drawn last.

use super::Store;
use super::error::StoreError;
use super::sql::{self, At, Row, values};
use crate::model::Time;
use crate::model::incident::IncidentId;
use crate::model::plot::Plot;

const NOUN: &str = "plot";

/// A drawing and what it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// What it shows.
    pub plot: Plot,
    /// The drawing, a whole SVG file.
    pub svg: String,
    /// When it was made.
    pub at: Time,
}

impl Store {
    /// The drawings of an incident, by condition.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn plots(&self, incident: &IncidentId) -> Result<Vec<Drawn>, StoreError> {
        let text = "select state, svg, drawn_at from plot where incident = $1 order by condition";
        self.read(NOUN, |at| sql::rows(at, NOUN, text, values![&incident.0], drawn))
    }

    /// One drawing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn plot(&self, incident: &IncidentId, condition: &str) -> Result<Option<Drawn>, StoreError> {
        let text = "select state, svg, drawn_at from plot where incident = $1 and condition = $2";
        self.read(NOUN, |at| sql::row(at, NOUN, text, values![&incident.0, condition], drawn))
    }

    /// Keeps drawings over those there were.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk takes no more.
    pub fn save_plots(&self, incident: &IncidentId, drawings: &[Drawn]) -> Result<(), StoreError> {
        self.write(NOUN, |at| drawings.iter().try_for_each(|drawn| save(at, incident, drawn)))
    }
}

fn save(at: &At<'_>, incident: &IncidentId, drawn: &Drawn) -> Result<(), StoreError> {
    let text = "insert into plot (incident, condition, drawn_at, state, svg) values ($1, $2, $3, $4, $5) on conflict (incident, condition) \
                do update set drawn_at = excluded.drawn_at, state = excluded.state, svg = excluded.svg";
    let state = sql::json(NOUN, &drawn.plot)?;
    sql::execute(at, NOUN, text, values![&incident.0, &drawn.plot.condition, sql::micros(drawn.at), state, &drawn.svg])?;
    Ok(())
}

fn drawn(row: &Row<'_>) -> Result<Drawn, StoreError> {
    Ok(Drawn { plot: sql::read_json(row, 0)?, svg: row.get(1)?, at: sql::read_time(row, 2)? })
}
