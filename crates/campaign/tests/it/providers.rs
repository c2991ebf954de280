//! Who hosts a contact's mailbox: asked once a domain, kept, and asked again after a failure.

use crate::world::World;
use postroad_campaign::{LookedUp, look_up_providers};
use postroad_model::{ContactId, Domain, MailboxProvider};
use std::sync::Mutex;
use std::time::Duration;

async fn people(world: &World, addresses: &[&str]) {
    let people: Vec<_> = addresses.iter().map(|a| (*a, serde_json::json!({}))).collect();
    world.subscribe("news", &people).await;
}

const PEOPLE: &[&str] = &[
    "a@gmail.com",
    "b@company.example",
    "c@company.example",
    "d@alone.example",
    "e@silent.example",
];

/// One step with a name server that knows `company.example` and is silent about `silent.example`; with what was asked.
async fn step(world: &World) -> (LookedUp, Vec<String>) {
    let asked = Mutex::new(Vec::new());
    let now = || world.now();
    let done = look_up_providers(&world.store, world.node, &now, |domain: Domain| {
        asked.lock().unwrap().push(domain.to_string());
        async move {
            match domain.as_str() {
                "company.example" => Ok(MailboxProvider::Google),
                "silent.example" => Err("no answer"),
                _ => Ok(MailboxProvider::Other),
            }
        }
    });
    let done = done.await.unwrap().unwrap();
    let mut asked = asked.into_inner().unwrap();
    asked.sort();
    (done, asked)
}

async fn providers(world: &World) -> Vec<MailboxProvider> {
    let mut contacts = world.store.hosted_contacts(ContactId(0), 100).await.unwrap();
    contacts.sort_by(|a, b| a.address.cmp(&b.address));
    contacts.into_iter().map(|c| c.provider).collect()
}

crate::on_both_engines! {
    async fn each_domain_is_asked_once_and_a_failure_again(world) {
        use MailboxProvider::{Google, Other};
        people(&world, PEOPLE).await;
        assert_eq!(providers(&world).await, [Google, Other, Other, Other, Other]);
        let (done, asked) = step(&world).await;
        assert_eq!(asked, ["alone.example", "company.example", "silent.example"]);
        assert_eq!(done, LookedUp { answered: 2, failed: 1, contacts: 2 });
        assert_eq!(providers(&world).await, [Google, Google, Google, Other, Other]);
        // New contacts alone are looked at now, and what was learnt is not asked again.
        people(&world, &["f@company.example", "g@new.example"]).await;
        let (done, asked) = step(&world).await;
        assert_eq!((asked, done.contacts), (vec!["new.example".to_owned()], 1));
        assert_eq!(step(&world).await.1, [""; 0]);
        assert_eq!(providers(&world).await[5..], [Google, Other]);
        world.advance(Duration::from_secs(86_400));
        let (done, asked) = step(&world).await;
        assert_eq!((asked, done.failed), (vec!["silent.example".to_owned()], 1));
        world.advance(Duration::from_secs(30 * 86_400));
        assert_eq!(step(&world).await.1.len(), 4);
    }

    async fn while_no_server_answers_nothing_is_passed_over(world) {
        people(&world, PEOPLE).await;
        let none = |_| async { Err::<MailboxProvider, _>("no network") };
        let now = || world.now();
        let done = look_up_providers(&world.store, world.node, &now, none).await.unwrap().unwrap();
        assert_eq!((done.answered, done.contacts), (0, 0));
        assert!(done.failed > 0);
        assert_eq!(step(&world).await.1.len(), 3);
    }

    async fn a_domain_whose_servers_fail_does_not_hide_the_contacts_behind_it(world) {
        // More than a page of people whose provider is known, the failing domain among the first of them.
        let many: Vec<String> = (0..450).map(|n| format!("p{n}@gmail.com")).collect();
        people(&world, &["e@silent.example"]).await;
        people(&world, &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(step(&world).await.1, ["silent.example"]);
        people(&world, &["b@company.example"]).await;
        assert_eq!(step(&world).await.1, ["company.example"]);
        // Asked again a day later, by then with the new ones behind it.
        world.advance(Duration::from_secs(86_400));
        people(&world, &["g@new.example"]).await;
        assert_eq!(step(&world).await.1, ["new.example", "silent.example"]);
    }

    async fn an_outage_of_dns_in_the_middle_is_made_up_for(world) {
        let many: Vec<String> = (0..450).map(|n| format!("p@d{n}.example")).collect();
        people(&world, &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let asked = std::cell::Cell::new(0);
        let now = || world.now();
        let away = look_up_providers(&world.store, world.node, &now, |_| {
            asked.set(asked.get() + 1);
            let answer = if asked.get() <= 200 { Ok(MailboxProvider::Other) } else { Err("away") };
            async move { answer }
        });
        let done = away.await.unwrap().unwrap();
        assert_eq!((done.answered, done.failed), (200, 200));
        assert_eq!(step(&world).await.0.answered, 250);
    }

    async fn one_node_at_a_time_asks(world) {
        people(&world, PEOPLE).await;
        let now = world.now();
        let other = world.store.register_node("other", "1", now).await.unwrap();
        let held = world.store.take_job("providers", other, now).await.unwrap();
        assert!(held.is_some());
        let ask = |_| async { Ok::<_, String>(MailboxProvider::Other) };
        let done = look_up_providers(&world.store, world.node, &|| now, ask).await.unwrap();
        assert_eq!(done, None);
    }
}
