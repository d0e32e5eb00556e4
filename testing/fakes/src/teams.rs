//! A workflow of Teams behind a secret URL: the envelope, and the part of Adaptive Cards 1.4 that is used.
//!
//! Taken for granted: a wrong signature is answered 401 and a flow that is off 404; a message over 28 KB is refused
//! with 400; the limits are those of the connectors that workflows replace.

use serde_json::{Value, json};

use crate::check::{Checked, http_url, object, one_of, only, text};
use crate::{Reply, Request, Service, Windows};

const MAX_BODY: usize = 28 * 1024;
const LIMIT: &[(usize, u64)] = &[(4, 1), (60, 30), (100, 3_600)];
const STYLES: [&str; 6] = ["default", "emphasis", "good", "attention", "warning", "accent"];

pub struct Teams {
    /// Path and query: these bytes are the credential.
    pub target: String,
    /// What was posted, the whole bodies.
    pub posted: Vec<Value>,
    windows: Windows,
}

impl Teams {
    /// The path and query of a new workflow with this signature.
    pub fn target(signature: &str) -> String {
        format!(
            "/powerautomate/automations/direct/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={signature}"
        )
    }

    pub fn new(signature: &str) -> Self {
        Self { target: Self::target(signature), posted: Vec::new(), windows: Windows::default() }
    }
}

fn check(body: &Value) -> Checked<()> {
    let fields = object(body, "the message")?;
    only(fields, &["type", "attachments"], "the message")?;
    one_of(text(fields, "type", 20)?, &["message"], "type")?;
    let attachments = body["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [attachment] = attachments else { return Err("there is not exactly one attachment".into()) };
    let fields = object(attachment, "the attachment")?;
    only(fields, &["contentType", "contentUrl", "content"], "the attachment")?;
    one_of(text(fields, "contentType", 60)?, &["application/vnd.microsoft.card.adaptive"], "contentType")?;
    if !attachment["contentUrl"].is_null() {
        return Err("contentUrl is not null".into());
    }
    check_card(&attachment["content"])
}

fn check_card(card: &Value) -> Checked<()> {
    let fields = object(card, "the card")?;
    only(fields, &["$schema", "type", "version", "body", "actions", "msteams"], "the card")?;
    one_of(text(fields, "type", 20)?, &["AdaptiveCard"], "type")?;
    one_of(text(fields, "version", 5)?, &["1.0", "1.1", "1.2", "1.3", "1.4"], "version")?;
    let body = card["body"].as_array().filter(|body| !body.is_empty()).ok_or("the card is empty")?;
    body.iter().try_for_each(check_element)?;
    card["actions"].as_array().into_iter().flatten().try_for_each(check_action)
}

fn check_element(element: &Value) -> Checked<()> {
    let fields = object(element, "an element")?;
    match text(fields, "type", 20)? {
        "TextBlock" => {
            only(fields, &["type", "text", "wrap", "weight", "size", "color", "isSubtle", "spacing"], "a TextBlock")?;
            text(fields, "text", MAX_BODY)?;
            if element["wrap"] != true {
                return Err("a TextBlock without wrap is cut on phones".into());
            }
            Ok(())
        }
        "FactSet" => {
            only(fields, &["type", "facts"], "a FactSet")?;
            let facts = element["facts"].as_array().filter(|facts| !facts.is_empty()).ok_or("a FactSet is empty")?;
            facts.iter().try_for_each(|fact| {
                let fields = object(fact, "a fact")?;
                only(fields, &["title", "value"], "a fact")?;
                text(fields, "title", MAX_BODY)?;
                text(fields, "value", MAX_BODY).map(|_| ())
            })
        }
        "Container" => {
            only(fields, &["type", "style", "bleed", "items"], "a Container")?;
            one_of(text(fields, "style", 20)?, &STYLES, "style")?;
            element["items"].as_array().ok_or("a Container without items")?.iter().try_for_each(check_element)
        }
        other => Err(format!("an element '{other}' is not shown everywhere")),
    }
}

fn check_action(action: &Value) -> Checked<()> {
    let fields = object(action, "an action")?;
    only(fields, &["type", "title", "url"], "an action")?;
    // The others call nobody back from a posted card.
    one_of(text(fields, "type", 30)?, &["Action.OpenUrl"], "an action's type")?;
    text(fields, "title", 100)?;
    http_url(text(fields, "url", 2_048)?, "an action's url")
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": code, "message": message}}))
}

impl Service for Teams {
    fn handle(&mut self, request: &Request) -> Reply {
        let path = self.target.split('?').next().unwrap_or_default();
        if request.method != "POST" || request.path() != path {
            return error(404, "WorkflowNotFound", "no such workflow");
        }
        if request.target != self.target {
            // Some echo the signature that did not fit.
            let sent = request.target.rsplit("sig=").next().unwrap_or_default();
            return error(401, "DirectApiAuthorizationRequired", &format!("the signature {sent} is not valid"));
        }
        if let Err(after_s) = self.windows.count("", LIMIT) {
            return Reply::too_many(after_s);
        }
        if request.body.len() > MAX_BODY {
            return error(400, "MessageTooLarge", "the message is too large");
        }
        let body = request.json();
        if let Err(wrong) = check(&body) {
            return error(400, "TriggerInputSchemaMismatch", &wrong);
        }
        self.posted.push(body);
        Reply::empty(202)
    }
}
