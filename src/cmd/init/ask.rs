//! The questions of `hearth init`: what a flag says is not asked, and where nobody can be asked a default holds.
//!
//! Never takes an answer that does not mean anything: it asks again.

use std::fmt::Display;
use std::io::{BufRead, Write};
use std::str::FromStr;

use anyhow::bail;

/// How often one question is asked before it is given up.
const PATIENCE: usize = 5;

/// Whoever can be asked.
pub(super) struct Questions<'a> {
    person: Option<(&'a mut dyn BufRead, &'a mut dyn Write)>,
}

impl<'a> Questions<'a> {
    /// A person, who reads `output` and writes `input`.
    pub(super) fn to(input: &'a mut dyn BufRead, output: &'a mut dyn Write) -> Self {
        Self { person: Some((input, output)) }
    }

    /// Nobody.
    pub(super) fn to_nobody() -> Self {
        Self { person: None }
    }

    /// `given`, or the answer of a person, or `default`.
    ///
    /// # Errors
    /// When there is none of them; `flag` says how it could have been given.
    pub(super) fn required<T>(
        &mut self,
        flag: &str,
        question: &str,
        given: Option<T>,
        default: Option<T>,
    ) -> anyhow::Result<T>
    where
        T: FromStr<Err: Display> + Display,
    {
        if let Some(given) = given {
            return Ok(given);
        }
        let hint = default.as_ref().map(|default| format!(" [{default}]")).unwrap_or_default();
        match self.ask(&format!("{question}{hint} "))?.or(default) {
            Some(answer) => Ok(answer),
            None => bail!("{flag} is missing, and there is nobody to ask; see hearth init --help"),
        }
    }

    /// `given`, or the answer of a person, who may have none.
    pub(super) fn optional<T>(&mut self, question: &str, given: Option<T>) -> anyhow::Result<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        if given.is_some() { Ok(given) } else { self.ask(&format!("{question} ")) }
    }

    /// None: nobody is there, or there was no answer.
    fn ask<T>(&mut self, question: &str) -> anyhow::Result<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        let Some((input, output)) = &mut self.person else { return Ok(None) };
        for _ in 0..PATIENCE {
            write!(output, "{question}")?;
            output.flush()?;
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 {
                bail!("the input ended before everything was answered; nothing was written");
            }
            match line.trim() {
                "" => return Ok(None),
                answer => match answer.parse() {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(error) => writeln!(output, "{error}")?,
                },
            }
        }
        bail!("no answer could be understood; nothing was written")
    }
}
