//! A named thread for the blocking steps of one loop, so that `top -H` shows its CPU time.

use std::sync::mpsc;

use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Thread that runs closures one at a time, in order. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Thread {
    work: mpsc::Sender<Work>,
}

impl Thread {
    pub(crate) fn named(name: &str) -> Self {
        let (work, inbox) = mpsc::channel::<Work>();
        // Where no thread can be had the inbox is dropped, and `run` says so each time.
        let _ = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                for work in inbox {
                    // A panic drops the reply channel, so that `run` returns an error.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                }
            });
        Self { work }
    }

    /// Waits for `work`, which may block.
    ///
    /// # Errors
    /// When it panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let (done, answer) = oneshot::channel();
        // A failed send means that the caller has stopped waiting.
        let work = Box::new(move || drop(done.send(work())));
        self.work
            .send(work)
            .map_err(|_| anyhow::anyhow!("the thread for it could not be started"))?;
        answer
            .await
            .map_err(|_| anyhow::anyhow!("it panicked; the log of the service says where"))
    }
}
