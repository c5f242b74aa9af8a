//! The question to a name server that answers with the address it is asked from, and the answer (RFC 1035).
//!
//! An answer counts as a whole: one record of the type that was asked for, with an address and nothing else. Never
//! sends, and never follows a referral or an alias.

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

use crate::address::Family;
use crate::address::settings::{DnsEcho, EchoForm};

/// A question: what is asked, under which id.
#[derive(Clone, Debug)]
pub struct Question {
    id: u16,
    query: Query,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The address.
    Address(IpAddr),
    /// The answer did not fit: ask over TCP (RFC 7766 section 5).
    Truncated,
    /// An answer to our question, and no address: why.
    Useless(String),
}

impl Question {
    /// The question of `echo` about `family`, under an id that nobody can guess.
    #[must_use]
    pub fn new(echo: &DnsEcho, family: Family, id: u16) -> Self {
        let name =
            Name::from_ascii(format!("{}.", echo.name)).expect("a name has labels of 63 bytes at most");
        let kind = match (echo.form, family) {
            (EchoForm::Text | EchoForm::ChaosText, _) => RecordType::TXT,
            (EchoForm::Address, Family::Ipv4) => RecordType::A,
            (EchoForm::Address, Family::Ipv6) => RecordType::AAAA,
        };
        let class = if echo.form == EchoForm::ChaosText { DNSClass::CH } else { DNSClass::IN };
        let mut query = Query::query(name, kind);
        query.set_query_class(class);
        Self { id, query }
    }

    /// As it is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut message = Message::new(self.id, MessageType::Query, OpCode::Query);
        // Cloudflare's and OpenDNS's echoes are resolvers, and answer to those who want recursion.
        message.metadata.recursion_desired = true;
        message.add_query(self.query.clone());
        message.to_vec().expect("a question of one name fits into a message")
    }

    /// The answer. None: the packet is no answer to this question, and is to be ignored (RFC 5452 section 9.1).
    #[must_use]
    pub fn reply(&self, packet: &[u8]) -> Option<Reply> {
        let message = Message::from_vec(packet).ok()?;
        let metadata = &message.metadata;
        let ours = metadata.id == self.id
            && metadata.message_type == MessageType::Response
            && metadata.op_code == OpCode::Query
            && message.queries == [self.query.clone()];
        if !ours {
            return None;
        }
        if metadata.truncation {
            return Some(Reply::Truncated);
        }
        if metadata.response_code != ResponseCode::NoError {
            return Some(Reply::Useless(format!("answered {}", metadata.response_code)));
        }
        Some(self.address(&message))
    }

    fn address(&self, message: &Message) -> Reply {
        let [record] = message.answers.as_slice() else {
            return Reply::Useless(format!("answered {} records in place of one", message.answers.len()));
        };
        let asked = record.name == *self.query.name() && record.dns_class == self.query.query_class();
        match address_of(&record.data) {
            Some(address) if asked && record.record_type() == self.query.query_type() => {
                Reply::Address(address.to_canonical())
            }
            _ => Reply::Useless("answered something that is not an address".to_owned()),
        }
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "no other type of record holds an address")]
fn address_of(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(a.0.into()),
        RData::AAAA(aaaa) => Some(aaaa.0.into()),
        RData::TXT(txt) => match &*txt.txt_data {
            [text] => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::{Record, rdata};
    use proptest::prelude::*;

    use super::*;

    fn echo(form: EchoForm) -> DnsEcho {
        DnsEcho { servers: Vec::new(), name: "who.example".parse().unwrap(), form }
    }

    /// A response to `question` with these answers.
    fn response(question: &Question, answers: Vec<RData>) -> Message {
        let mut message = Message::new(question.id, MessageType::Response, OpCode::Query);
        message.add_query(question.query.clone());
        for data in answers {
            let mut record = Record::from_rdata(question.query.name().clone(), 0, data);
            record.dns_class = question.query.query_class();
            message.add_answer(record);
        }
        message
    }

    fn text(strings: &[&str]) -> RData {
        RData::TXT(rdata::TXT::new(strings.iter().map(|text| (*text).to_owned()).collect()))
    }

    fn a(address: [u8; 4]) -> RData {
        RData::A(rdata::A(address.into()))
    }

    fn said(form: EchoForm, answers: Vec<RData>) -> Reply {
        let question = Question::new(&echo(form), Family::Ipv4, 7);
        question.reply(&response(&question, answers).to_vec().unwrap()).expect("an answer to the question")
    }

    #[test]
    fn each_form_of_answer_is_read() {
        let four = Reply::Address([84, 1, 2, 3].into());
        assert_eq!(said(EchoForm::Address, vec![a([84, 1, 2, 3])]), four);
        assert_eq!(said(EchoForm::Text, vec![text(&["84.1.2.3"])]), four);
        assert_eq!(said(EchoForm::ChaosText, vec![text(&["84.1.2.3"])]), four);
        assert_eq!(
            said(EchoForm::Text, vec![text(&["2a02::1"])]),
            Reply::Address("2a02::1".parse().unwrap())
        );
    }

    #[test]
    fn an_answer_is_an_address_as_a_whole_or_not_at_all() {
        for (form, answers) in [
            (EchoForm::Text, vec![]),
            (EchoForm::Text, vec![text(&["84.1.2.3", "x"])]),
            (EchoForm::Text, vec![text(&["ip=84.1.2.3"])]),
            (EchoForm::Text, vec![text(&[" 84.1.2.3"])]),
            (EchoForm::Text, vec![text(&["84.1.2.3"]), text(&["edns0-client-subnet 84.1.2.0/24"])]),
            (EchoForm::Text, vec![a([84, 1, 2, 3])]),
            (EchoForm::Address, vec![a([84, 1, 2, 3]), a([84, 1, 2, 4])]),
            (EchoForm::Address, vec![text(&["84.1.2.3"])]),
        ] {
            assert!(matches!(said(form, answers.clone()), Reply::Useless(_)), "{answers:?}");
        }
    }

    #[test]
    fn a_packet_that_answers_something_else_is_ignored() {
        let question = Question::new(&echo(EchoForm::Address), Family::Ipv4, 7);
        let good = response(&question, vec![a([84, 1, 2, 3])]);
        let ignored = |change: &dyn Fn(&mut Message)| {
            let mut message = good.clone();
            change(&mut message);
            question.reply(&message.to_vec().unwrap()).is_none()
        };
        assert!(!ignored(&|_| {}));
        assert!(ignored(&|message| message.metadata.id = 8), "a guessed id");
        assert!(ignored(&|message| message.metadata.message_type = MessageType::Query), "our own, reflected");
        assert!(ignored(&|message| message.queries.clear()), "no question");
        let other = Question::new(&echo(EchoForm::Text), Family::Ipv4, 7);
        assert!(ignored(&|message| message.queries = vec![other.query.clone()]), "another question");
    }

    #[test]
    fn truncation_and_refusals_are_told_apart() {
        let question = Question::new(&echo(EchoForm::Address), Family::Ipv4, 7);
        let mut message = response(&question, vec![]);
        message.metadata.truncation = true;
        assert_eq!(question.reply(&message.to_vec().unwrap()), Some(Reply::Truncated));
        message.metadata.truncation = false;
        message.metadata.response_code = ResponseCode::Refused;
        assert!(matches!(question.reply(&message.to_vec().unwrap()), Some(Reply::Useless(_))));
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_read_to_its_end(mut packet in proptest::collection::vec(any::<u8>(), 0..200), ours: bool) {
            let question = Question::new(&echo(EchoForm::Address), Family::Ipv4, 7);
            if ours {
                let head = response(&question, vec![a([84, 1, 2, 3])]).to_vec().unwrap();
                let kept = packet.len().min(head.len());
                packet[..kept].copy_from_slice(&head[..kept]);
            }
            let _ = question.reply(&packet);
        }
    }
}
