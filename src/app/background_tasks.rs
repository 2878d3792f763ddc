//! The loops: commit, judge, deliver, save active alerts, watch the settings, know who is on call. Each waits for news or for time, and exposes one step elsewhere.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::judge::Judged;
use super::people::on_call;
use super::settings::config_watcher::Noticed;
use super::sync::blocking;
use super::worker_thread::Thread;
use super::{App, conditions};
use crate::model::time::Time;
use crate::store::head::LEASE;

/// The safety net: a loop looks again after so long, whatever it was told.
const AT_THE_LATEST: Duration = Duration::from_secs(5);
/// After a fault of the store.
const AFTER_A_FAULT: Duration = Duration::from_secs(1);
/// Between two looks at the files of the settings.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Starts the loops. They end when `stop` is cancelled; the commit loop ends with the process, so that nothing acknowledged waits.
#[must_use]
pub fn start(app: &Arc<App>, stop: &CancellationToken) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    loops.spawn(until(stop.clone(), Arc::clone(&app.intake.commits).run()));
    loops.spawn(until(stop.clone(), judge_loop(Arc::clone(app))));
    loops.spawn(until(stop.clone(), deliver_loop(Arc::clone(app))));
    loops.spawn(until(stop.clone(), save_loop(Arc::clone(app))));
    loops.spawn(until(
        stop.clone(),
        conditions::measure_loop(Arc::clone(app)),
    ));
    loops.spawn(until(stop.clone(), on_call::rota_loop(Arc::clone(app))));
    if app.store.is_shared() {
        loops.spawn(until(stop.clone(), office_loop(Arc::clone(app))));
        loops.spawn(until(stop.clone(), follow_loop(Arc::clone(app))));
    }
    loops.spawn(until(stop.clone(), watch_loop(Arc::clone(app))));
    loops
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    stop.run_until_cancelled(work).await;
}

/// Runs a blocking step off the async threads.
async fn step<T: Send + 'static>(
    app: &Arc<App>,
    what: &str,
    work: fn(&App) -> anyhow::Result<T>,
) -> Option<T> {
    let ours = Arc::clone(app);
    match blocking(move || work(&ours)).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(fault)) => {
            app.faults.report(what, &fault);
            None
        }
        Err(panic) => {
            app.faults.report(what, &panic);
            None
        }
    }
}

fn wait(app: &App, next: Option<Time>) -> Duration {
    let until_next =
        next.map(|next| (next - app.now()).to_std().unwrap_or_default() + Duration::from_millis(1));
    until_next.unwrap_or(AT_THE_LATEST).min(AT_THE_LATEST)
}

async fn judge_loop(app: Arc<App>) {
    let thread = Thread::named("judge");
    let mut head = app.progress.head_changes();
    loop {
        head.mark_unchanged();
        let ours = Arc::clone(&app);
        let judged = thread.run(move || ours.judge_step()).await.flatten();
        let pause = match judged.inspect_err(|fault| app.faults.report("judging failed", fault)) {
            Ok(judged) if judged.more => continue,
            Ok(Judged {
                open_until: Some(end),
                ..
            }) => {
                // More may come to this window; looking at it before its end would only read it twice.
                tokio::time::sleep(wait(&app, Some(end))).await;
                continue;
            }
            Ok(judged) => {
                let lease = app.intake.active_alerts().next_due();
                wait(&app, judged.next.into_iter().chain(lease).min())
            }
            Err(_) => AFTER_A_FAULT,
        };
        // The sender lives as long as the app: a change or the time, nothing else.
        let _ = tokio::time::timeout(pause, head.changed()).await;
    }
}

async fn deliver_loop(app: Arc<App>) {
    let mut applied = app.progress.applied_changes();
    loop {
        applied.mark_unchanged();
        let pause = match step(&app, "delivering failed", App::deliver_step).await {
            Some(0) => match step(&app, "delivering failed", App::next_delivery).await {
                Some(next) => wait(&app, next).min(Duration::from_secs(1)),
                None => AFTER_A_FAULT,
            },
            Some(_) => continue,
            None => AFTER_A_FAULT,
        };
        let _ = tokio::time::timeout(pause, applied.changed()).await;
    }
}

async fn save_loop(app: Arc<App>) {
    loop {
        tokio::time::sleep(AT_THE_LATEST).await;
        step(&app, "active alerts could not be saved", |app| {
            app.intake.save_active_alerts()
        })
        .await;
        step(&app, "what sources sent could not be counted", |app| {
            app.intake.save_source_stats(false)
        })
        .await;
    }
}

async fn office_loop(app: Arc<App>) {
    loop {
        tokio::time::sleep(LEASE / 4).await;
        step(
            &app,
            "the judge's office could not be held",
            App::hold_office,
        )
        .await;
    }
}

async fn follow_loop(app: Arc<App>) {
    loop {
        if step(&app, "the log could not be followed", App::follow)
            .await
            .is_none()
        {
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
    }
}

async fn watch_loop(app: Arc<App>) {
    loop {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        match step(&app, "the settings could not be watched", |app| {
            Ok(app.look())
        })
        .await
        {
            Some(Noticed::Changed) => {
                tracing::info!("the settings or rules changed and were read again");
            }
            Some(Noticed::Faulty(faults)) => {
                for fault in faults {
                    tracing::error!(
                        "the settings or rules changed, but the old ones stay in force: {fault}"
                    );
                }
            }
            Some(Noticed::Nothing) | None => {}
        }
    }
}
