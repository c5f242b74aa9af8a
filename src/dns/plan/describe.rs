//! A plan as a difference in words: `+` what comes, `-` what goes, `~` what changes in place, `=` what stays.

use std::fmt;

use super::{Operation, Plan};

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Modify { from, to, ttl, .. } if from.rdata == *to => {
                write!(f, "~ {to} (TTL {} -> {ttl})", from.ttl)
            }
            Operation::Modify { from, to, ttl, .. } => {
                write!(f, "~ {} -> {} (TTL {ttl})", from.rdata, to.value())
            }
            Operation::Create { rdata, ttl, line: None, .. } => write!(f, "+ {rdata} (TTL {ttl})"),
            Operation::Create { rdata, ttl, line: Some(line), .. } => {
                write!(f, "+ {rdata} (TTL {ttl}, line {line})")
            }
            Operation::Mark { record, remark } => write!(f, "~ {} (remark {remark:?})", record.rdata),
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
            write!(f, "\n  = {} (not {}'s, left alone)", record.rdata, self.owner)?;
        }
        if self.is_empty() {
            f.write_str("\n  nothing to do")?;
        }
        Ok(())
    }
}
