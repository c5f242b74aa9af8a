//! What an answer of the server means: done, refused, in conflict, or not known.
//!
//! Never takes the absence of an answer for a failure, or an unsigned answer for a success.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::TSigVerifier;
use hickory_proto::rr::rdata::tsig::TsigError;

use super::Rfc2136;
use crate::dns::Name;
use crate::dns::provider::ProviderError;
use crate::dns::provider::wire::WireError;

impl Rfc2136 {
    /// Only an answer with authority says what stands; that nothing does is one.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "every other code means that the server did not answer"
    )]
    pub(super) fn check_answer(&self, answer: &Message) -> Result<(), ProviderError> {
        let server = self.server.clone();
        let reason = answer.metadata.response_code.to_string();
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain if answer.metadata.authoritative => Ok(()),
            ResponseCode::NoError
            | ResponseCode::NXDomain
            | ResponseCode::Refused
            | ResponseCode::NotAuth => {
                Err(ProviderError::NotAuthoritative { server, zone: self.zone.clone(), reason })
            }
            _ => Err(ProviderError::Transient { server, reason, retry_after: None }),
        }
    }

    /// What a failed exchange of an update means: once it left, only a look says whether it took effect.
    pub(super) fn failed_update(&self, error: WireError) -> ProviderError {
        let server = self.server.clone();
        match error {
            WireError::NotSent(reason) => ProviderError::Unreachable { server, reason },
            WireError::NoAnswer(reason) => ProviderError::Unconfirmed { server, reason },
        }
    }

    /// What the answer to an update means. Only a signed NOERROR is a success; an error needs no signature to be
    /// believed, because the next step is to look again in any case.
    pub(super) fn judge(
        &self,
        name: &Name,
        id: u16,
        bytes: &[u8],
        verifier: &mut TSigVerifier,
    ) -> Result<(), ProviderError> {
        let unconfirmed = |reason: &str| {
            Err(ProviderError::Unconfirmed { server: self.server.clone(), reason: reason.to_owned() })
        };
        let Ok(answer) = Message::from_vec(bytes) else {
            return unconfirmed("the answer cannot be read");
        };
        if answer.metadata.id != id {
            return unconfirmed("the answer is to another message");
        }
        if answer.metadata.response_code != ResponseCode::NoError {
            return Err(self.refusal(name, &answer));
        }
        match verifier.verify(bytes) {
            Ok(_) => Ok(()),
            Err(_) => unconfirmed("the answer is not signed with our key"),
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "every other code is a fault of the server's, or of ours"
    )]
    fn refusal(&self, name: &Name, answer: &Message) -> ProviderError {
        let server = self.server.clone();
        let code = answer.metadata.response_code;
        let tsig = answer.signature.as_ref().and_then(|record| record.data.error);
        let reason = tsig.map_or_else(|| code.to_string(), |error| format!("{code}, {error:?}"));
        match (code, tsig) {
            (_, Some(TsigError::BadTime)) => ProviderError::ClockSkew { server, reason },
            (_, Some(_)) => {
                ProviderError::Auth { server, key: self.signer.signer_name().to_string(), reason }
            }
            (ResponseCode::Refused, None) => ProviderError::Refused { server, reason },
            (ResponseCode::NotAuth | ResponseCode::NotZone, None) => {
                ProviderError::NotAuthoritative { server, zone: self.zone.clone(), reason }
            }
            (
                ResponseCode::YXDomain
                | ResponseCode::YXRRSet
                | ResponseCode::NXRRSet
                | ResponseCode::NXDomain,
                None,
            ) => ProviderError::Conflict { name: name.clone(), server, reason },
            (ResponseCode::FormErr | ResponseCode::NotImp, None) => {
                ProviderError::Unusable(format!("{server} does not take updates ({reason})"))
            }
            (_, None) => ProviderError::Transient { server, reason, retry_after: None },
        }
    }
}
