//! A plan as a difference in words: `+` what comes, `-` what goes, `~` what changes in place, `=` what stays.

use std::fmt;

use super::{Line, Operation, Plan, Record};

/// The line that something is about, where there are lines.
struct On<'a>(&'a Option<Line>);

impl fmt::Display for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Modify { from, to, ttl, .. } if from.rdata == *to => {
                write!(f, "~ {to} (TTL {} -> {ttl}{})", from.ttl, On(&from.line))
            }
            Operation::Modify { from, to, ttl, .. } => {
                write!(f, "~ {} -> {} (TTL {ttl}{})", from.rdata, to.value(), On(&from.line))
            }
            Operation::Create { rdata, ttl, line, .. } => write!(f, "+ {rdata} (TTL {ttl}{})", On(line)),
            Operation::Mark { record, remark } => {
                write!(f, "~ {} (remark {remark:?}{})", record.rdata, On(&record.line))
            }
            Operation::Delete { expect: Record { rdata, line: Some(line), .. } } => {
                write!(f, "- {rdata} (line {line})")
            }
            Operation::Delete { expect } => write!(f, "- {}", expect.rdata),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        for operation in &self.operations {
            write!(f, "\n  {operation}")?;
        }
        if let Some(mark) = &self.mark {
            let sign = if mark.remove.is_empty() { '+' } else { '~' };
            write!(f, "\n  {sign} mark {}", mark.add)?;
        }
        for record in &self.foreign {
            write!(f, "\n  = {} (not {}'s, left alone{})", record.rdata, self.owner, On(&record.line))?;
        }
        if self.is_empty() {
            f.write_str("\n  nothing to do")?;
        }
        Ok(())
    }
}
