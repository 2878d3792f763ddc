//! No bytes pushed as remote write make the reader panic or exceed its limit, whether they are the body or what a good body unpacks to.
#![no_main]

use afterword::ingest::remote_write::read;
use afterword::ingest::metric_filter::MetricFilter;
use libfuzzer_sys::fuzz_target;

/// Large enough for any input of the fuzzer, small enough to be met by headers that lie.
const LIMIT: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let packed = snap::raw::Encoder::new().compress_vec(bytes).expect("the fuzzer's inputs are short");
    for body in [bytes, &packed] {
        let all = read(body, &MetricFilter::all(), LIMIT);
        let few = read(body, &MetricFilter::from_names(["up"]), LIMIT);
        // Too much for all may be little enough for few; any other fault is one of the framing, which is looked at for both.
        if let (Ok(all), Ok(few)) = (&all, &few) {
            assert_eq!(all.seen, few.seen);
            let up = all.samples.iter().filter(|sample| sample.name == "up").collect::<Vec<_>>();
            assert_eq!(format!("{up:?}"), format!("{:?}", few.samples.iter().collect::<Vec<_>>()));
        }
    }
});
