//! Tests of responses: how a model is asked, where its replies end, and what is an error.

use super::{RespondOptions, Response, render_prompt, respond};
use crate::fake::{Fake, tokenizer};
use crate::{JudgingError, SafetyPrompt};

const TEMPLATE: &str = "{% if messages[0].content == 'no' %}{{ raise_exception('not that') }}{% endif %}{% for m in messages \
                        %}<s>{{ m.role }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

fn prompts(texts: &[&str]) -> Vec<SafetyPrompt> {
    texts.iter().enumerate().map(|(index, &text)| SafetyPrompt::new(index + 1, text)).collect()
}

fn chat(reply: impl Fn(&str) -> String + 'static) -> Fake {
    Fake { tokenizer: tokenizer(Some(TEMPLATE)), ..Fake::replying(reply) }
}

fn ask(model: &Fake, prompts: &[SafetyPrompt], options: RespondOptions) -> (Vec<Response>, Option<String>) {
    let mut kept = Vec::new();
    let result = respond(prompts, model, &model.tokenizer, options, |responses| {
        kept.extend_from_slice(responses);
        Ok::<(), JudgingError>(())
    });
    (kept, result.err().map(|error| error.to_string()))
}

#[test]
fn the_user_turn_goes_through_the_template_without_further_special_tokens() {
    let model = chat(|prompt| prompt.replace("<s>", "[s]") + "!</s>never");
    let options = RespondOptions { window: 1, ..Default::default() };
    let (responses, error) = ask(&model, &prompts(&["a", " b "]), options);
    assert_eq!(error, None);
    let texts: Vec<&str> = responses.iter().map(|response| response.text.as_str()).collect();
    assert_eq!(texts, ["[s]user:a;assistant:!", "[s]user: b ;assistant:!"]);
    assert!(responses.iter().all(|response| response.finished && response.ids.len() == response.text.len()));
}

#[test]
fn replies_end_at_eos_at_the_end_of_a_turn_or_at_the_limit() {
    let model =
        chat(|prompt| if prompt.contains("turn") { "yes<|eot_id|>more" } else { "yes, and much more" }.to_owned());
    let options = RespondOptions { max_new_tokens: 5, ..Default::default() };
    let (responses, _) = ask(&model, &prompts(&["turn", "other"]), options);
    assert_eq!((responses[0].text.as_str(), responses[0].finished), ("yes", true));
    assert_eq!((responses[1].text.as_str(), responses[1].finished), ("yes, ", false));
}

#[test]
fn a_context_is_part_of_the_request() {
    let mut prompt = SafetyPrompt::new(1, "Do.");
    prompt.context = Some("Text.".into());
    let text = render_prompt(&prompt, &tokenizer(Some(TEMPLATE)), false).unwrap();
    assert_eq!(text, "<s>user:Text.\n\n---\n\nDo.;assistant:");
    assert_eq!(prompt.exchange("r").request(), "Text.\n\n---\n\nDo.");
}

#[test]
fn a_model_without_a_template_is_asked_plainly_only_if_that_is_wanted() {
    let model = Fake::replying(|prompt| prompt.replace("<s>", "[s]"));
    let (responses, error) = ask(&model, &prompts(&["a"]), RespondOptions::default());
    assert!(responses.is_empty() && error.as_ref().unwrap().contains("the model has no chat template"), "{error:?}");
    let options = RespondOptions { plain_without_template: true, ..Default::default() };
    let (responses, error) = ask(&model, &prompts(&["a"]), options);
    assert_eq!((responses[0].text.as_str(), error), ("[s]a", None));
    // With a template it is used all the same.
    let (responses, _) = ask(&chat(|prompt| prompt.to_owned()), &prompts(&["a"]), options);
    assert_eq!(responses[0].text, "user:a;assistant:");
}

#[test]
fn what_is_done_before_a_fault_is_kept() {
    let mut model = chat(|_| "r".into());
    let options = RespondOptions { max_new_tokens: 10, ..Default::default() };
    let (kept, error) = ask(&model, &prompts(&["a", "b", "no", "c"]), options);
    assert_eq!((kept.len(), error.unwrap()), (2, "line 3: chat template: not that".into()));
    model.window = 40;
    let (kept, error) = ask(&model, &prompts(&["a", "far too long a request to fit"]), options);
    assert_eq!(kept.len(), 1);
    assert_eq!(
        error.unwrap(),
        "line 2: a prompt of 46 tokens and 10 more for the reply do not fit into the model's context window of 40, and \
         are not cut"
    );
    let options = RespondOptions { window: 1, ..options };
    let (kept, error) = ask(&model, &prompts(&["a", "NaN"]), options);
    assert_eq!((kept.len(), error.unwrap()), (1, "line 2: logits: got NaN".into()));
}
