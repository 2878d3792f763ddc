//! Stored plots: the latest drawing of each condition of an incident.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::sql;
use super::sql::{SqlConnection, SqlRow, values};
use crate::model::id::{IncidentId, hex};
use crate::model::plot::Plot;
use crate::model::time::Time;
use crate::store::database::Store;

const NOUN: &str = "plot";

/// A drawing with its data.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPlot {
    /// Its data.
    pub plot: Plot,
    /// The drawing, a whole SVG file.
    pub svg: String,
    /// Time of drawing.
    pub at: Time,
}

/// A plot without its drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct PlotHeader {
    /// Its data.
    pub plot: Plot,
    /// A hash of the drawing.
    pub hash: String,
}

impl Store {
    /// The headers of an incident's plots, by condition.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn plot_headers(&self, incident: &IncidentId) -> Result<Vec<PlotHeader>, StoreError> {
        let text = "select state, hash from plot where incident = $1 order by condition";
        let outline = |row: &SqlRow<'_>| {
            Ok(PlotHeader {
                plot: sql::read_json(row, 0)?,
                hash: row.get(1)?,
            })
        };
        self.read(NOUN, |at| {
            sql::rows(at, NOUN, text, values![&incident.0], outline)
        })
    }

    /// Time of the last drawing of each condition of an incident.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn drawn_at(&self, incident: &IncidentId) -> Result<BTreeMap<String, Time>, StoreError> {
        let text = "select condition, drawn_at from plot where incident = $1";
        let drawn_at = |row: &SqlRow<'_>| Ok((row.get(0)?, sql::read_time(row, 1)?));
        Ok(self
            .read(NOUN, |at| {
                sql::rows(at, NOUN, text, values![&incident.0], drawn_at)
            })?
            .into_iter()
            .collect())
    }

    /// One plot.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn plot(
        &self,
        incident: &IncidentId,
        condition: &str,
    ) -> Result<Option<StoredPlot>, StoreError> {
        let text = "select state, svg, drawn_at from plot where incident = $1 and condition = $2";
        self.read(NOUN, |at| {
            sql::row(at, NOUN, text, values![&incident.0, condition], drawn)
        })
    }

    /// Inserts or replaces plots.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk is full.
    pub fn save_plots(
        &self,
        incident: &IncidentId,
        drawings: &[StoredPlot],
    ) -> Result<(), StoreError> {
        self.write(NOUN, |at| {
            drawings
                .iter()
                .try_for_each(|drawn| save(at, incident, drawn))
        })
    }
}

fn save(
    at: &SqlConnection<'_>,
    incident: &IncidentId,
    drawn: &StoredPlot,
) -> Result<(), StoreError> {
    let text = "insert into plot (incident, condition, drawn_at, state, svg, hash) values ($1, $2, $3, $4, $5, $6) \
                on conflict (incident, condition) do update set drawn_at = excluded.drawn_at, state = excluded.state, svg = excluded.svg, \
                hash = excluded.hash";
    let state = sql::json(NOUN, &drawn.plot)?;
    sql::execute(
        at,
        NOUN,
        text,
        values![
            &incident.0,
            &drawn.plot.condition,
            sql::micros(drawn.at),
            state,
            &drawn.svg,
            hex(&drawn.svg, 8)
        ],
    )?;
    Ok(())
}

fn drawn(row: &SqlRow<'_>) -> Result<StoredPlot, StoreError> {
    Ok(StoredPlot {
        plot: sql::read_json(row, 0)?,
        svg: row.get(1)?,
        at: sql::read_time(row, 2)?,
    })
}
