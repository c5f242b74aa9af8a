//! A bounded run of what `cargo fuzz run path`, `range` and `conditional` go on with for as long as one likes.

#[path = "../../../fuzz/properties.rs"]
mod properties;

/// Inputs put together from pieces that mean something to the parser, and from any bytes between them.
fn run(pieces: &[&[u8]], property: fn(&[u8])) {
    // xorshift64*: the same inputs in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).expect("31 bits fit")
    };
    for _ in 0..100_000 {
        let mut input = Vec::new();
        for _ in 0..next() % 8 {
            match next() % 6 {
                0 => input.push(u8::try_from(next() % 256).expect("a byte")),
                _ => input.extend_from_slice(pieces[next() % pieces.len()]),
            }
        }
        property(&input);
    }
}

#[test]
fn no_path_leaves_the_site() {
    let pieces: &[&[u8]] = &[
        b"/",
        b"/",
        b"//",
        b".",
        b"..",
        b"a",
        b"%2e",
        b"%2E",
        b"%2f",
        b"%5c",
        b"%00",
        b"%25",
        b"%",
        b"%c0%ae",
        b"\xc3\xa9",
        b"%c3%a9",
        b".well-known",
        b"?",
        b"#",
        b"\\",
        b"evil.example",
        b":",
        b" ",
    ];
    run(pieces, properties::path);
    run(pieces, |input| properties::path(&[b"/", input].concat()));
}

#[test]
fn no_range_costs_more_than_the_file() {
    let pieces: &[&[u8]] = &[
        b"bytes=",
        b"bytes",
        b"=",
        b"-",
        b"0-",
        b"-1",
        b",",
        b" ",
        b"0-0",
        b"5-9",
        b"999-",
        b"18446744073709551615",
        b"18446744073709551616",
        b"9-5",
        b"+1",
    ];
    run(pieces, properties::range);
    run(pieces, |input| properties::range(&[b"\0\0\0\0\0\0\x10\0bytes=", input].concat()));
}

#[test]
fn nobody_is_told_that_nothing_changed_without_having_named_it() {
    let pieces: &[&[u8]] = &[
        b"\"",
        b"W/",
        b"\"65a1-400\"",
        b"65a1-400",
        b",",
        b" ",
        b"*",
        b"\"x\"",
        b"Tue, 14 Nov 2023 22:13:20 GMT",
        b"Fri, 01 Jan 2100 00:00:00 GMT",
        b"GMT",
        b"\xff",
    ];
    run(pieces, properties::conditional);
}
