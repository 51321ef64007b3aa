//! The CPU time of a process includes threads that have ended: tokio-uring's workers and Node's do. Alone in its
//! process, so that no other test's time hides what would be missing.

use socketville_bench::machine::{Process, own_thread_cpu_ns};

#[test]
fn a_thread_that_has_ended_still_counts() {
    let own = Process::new(std::process::id());
    let before = own.cpu_ns().expect("this process is there");
    let worked = std::thread::spawn(|| {
        while own_thread_cpu_ns() < WORK_NS {
            std::hint::black_box(0_u64);
        }
        own_thread_cpu_ns()
    });
    let worked_ns = worked.join().expect("it ended");
    let after = own.cpu_ns().expect("this process is there");
    assert!(after - before >= worked_ns, "{} ns are accounted of {worked_ns}", after - before);
}

/// Many times what the other thread takes meanwhile.
const WORK_NS: u64 = 50_000_000;
