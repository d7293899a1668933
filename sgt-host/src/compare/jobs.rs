//! Independent jobs, each on threads of its own.

use crate::{Error, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Does every job and returns the results in the order of the jobs; the first error ends it.
///
/// As many jobs as there are threads go on at a time, each in a pool of its own: none waits for
/// another's work, so that its time is its own.
///
/// # Errors
/// That of the first job, in their order, that failed; [`Error::Argument`] when the system
/// allows no threads.
pub(crate) fn side_by_side<J: Sync, T: Send>(
    jobs: &[J],
    job: impl Fn(&J) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let threads = rayon::current_num_threads();
    let workers = threads.min(jobs.len()).max(1);
    let pools = (0..workers).map(|_| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads / workers);
        pool.build().map_err(|reason| no_threads(&reason))
    });
    let pools: Vec<_> = pools.collect::<Result<_>>()?;
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results: Vec<Mutex<Option<Result<T>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for pool in &pools {
            let work = || {
                while !failed.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(todo) = jobs.get(index) else { break };
                    let result = pool.install(|| job(todo));
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    if let Ok(mut place) = results[index].lock() {
                        *place = Some(result);
                    }
                }
            };
            let thread = std::thread::Builder::new().spawn_scoped(scope, work);
            thread.map_err(|reason| no_threads(&reason))?;
        }
        Ok::<(), Error>(())
    })?;
    // After a failure, jobs behind it may be missing; the failure comes before them.
    let done = results
        .into_iter()
        .map_while(|place| place.into_inner().ok().flatten());
    done.collect()
}

fn no_threads(reason: &dyn std::fmt::Display) -> Error {
    Error::Argument {
        argument: "--threads".into(),
        found: reason.to_string(),
        expected: "a number of threads that the system allows".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_wins() {
        let jobs: Vec<u64> = (0..20).collect();
        let wait = |job: &u64| std::thread::sleep(std::time::Duration::from_millis(20 - job));
        let squares = side_by_side(&jobs, |job| {
            wait(job);
            Ok(job * job)
        });
        let expected: Vec<u64> = jobs.iter().map(|job| job * job).collect();
        assert_eq!(squares.unwrap(), expected);
        let failing = side_by_side(&jobs, |job| {
            wait(job);
            match job {
                0..5 => Ok(()),
                _ => Err(Error::Numerical(format!("job {job}"))),
            }
        });
        assert_eq!(failing.unwrap_err().to_string(), "job 5");
    }
}
