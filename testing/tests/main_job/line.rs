//! Cases that share a product, one after the other, and lines of them beside each other.

use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use anyhow::Result;
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use muster_testing::Product;
use tokio::runtime::Runtime;

/// A name and what it does.
pub(crate) type Case = (&'static str, Body);
pub(crate) type Body = for<'a> fn(&'a mut Product) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

macro_rules! cases {
    ($($name:literal => $module:ident::$case:ident),* $(,)?) => {
        vec![$(($name, (|product| Box::pin(crate::$module::$case(product))) as crate::line::Body)),*]
    };
}
pub(crate) use cases;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

type Times = Arc<Mutex<Vec<(Duration, &'static str)>>>;

/// Runs every case that the arguments ask for.
pub(crate) fn run(mut arguments: Arguments, lines: impl IntoIterator<Item = Vec<Case>>) -> Conclusion {
    let times = Times::default();
    let trials: Vec<Trial> = lines.into_iter().flat_map(|line| trials(&arguments, line, &times)).collect();
    // Each waits for the one before it in its line, so it is the lines that run beside each other. With fewer threads that
    // are asked for, nobody waits for one that comes later: the order is that of the lines.
    arguments.test_threads.get_or_insert(trials.len());
    let conclusion = libtest_mimic::run(&arguments, trials);
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    times.sort_by(|one, other| other.cmp(one));
    for (took, name) in times.iter() {
        println!("{:7.1} s  {name}", took.as_secs_f64());
    }
    conclusion
}

/// From case to case goes the product.
fn trials(arguments: &Arguments, line: Vec<Case>, times: &Times) -> Vec<Trial> {
    let mut before = None;
    let mut chained = |(name, body): Case| {
        // Nobody waits for a case that does not run.
        if arguments.is_filtered_out(&Trial::test(name, || Ok(()))) {
            return Trial::test(name, || Ok(()));
        }
        let (to_next, next) = mpsc::channel();
        let (before, times) = (before.replace(next), Arc::clone(times));
        Trial::test(name, move || {
            let handed_on = before.and_then(|before: mpsc::Receiver<Product>| before.recv().ok());
            let began = Instant::now();
            let outcome = one(handed_on, body).map(|product| {
                // After the last one it ends here.
                drop(to_next.send(product));
            });
            times.lock().unwrap_or_else(PoisonError::into_inner).push((began.elapsed(), name));
            outcome
        })
    };
    line.into_iter().map(&mut chained).collect()
}

/// With a new product when there is none: the first case, and the one after a case that failed, so that each one fails for
/// its own reason.
fn one(product: Option<Product>, body: Body) -> Result<Product, Failed> {
    RUNTIME.block_on(async {
        let mut product = match product {
            Some(product) => product,
            None => Product::start().await.map_err(|error| format!("{error:#}"))?,
        };
        match body(&mut product).await {
            Ok(()) => Ok(product),
            Err(error) => Err(format!("{error:#}\n--- the product's last words ---\n{}", product.tail_of_log()).into()),
        }
    })
}
