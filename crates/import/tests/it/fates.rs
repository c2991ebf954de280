//! What becomes of rows: every one is counted once, whatever stood before.

use crate::world::{both, figures, one, options, stream};
use postroad_import::{Error, ImportOptions, Input, MissingList, import_contacts};
use postroad_model::contact::SubscriptionState;
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_model::{Clock, EmailAddress, MailboxProvider};
use postroad_store::{Commit, ImportRow, ImportSlice, RowFate, Unsubscribe, UnsubscribeFrom};

const PEOPLE: &str = "email,name,city\nan@gmail.com,An,Huế\nbinh@b.vn,Bình,Vinh\nchi@b.vn,Chi,\n";

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    for world in both().await {
        assert_eq!(figures(&world.import(PEOPLE).await), [3, 3, 0, 0, 0, 0, 0, 0]);
        assert_eq!(figures(&world.import(PEOPLE).await), [3, 0, 0, 3, 0, 0, 0, 0]);
        let an = world.contact("an@gmail.com").await.unwrap();
        assert_eq!((an.provider, an.updated_import), (MailboxProvider::Google, an.created_import));
        assert_eq!(world.store.list("all").await.unwrap().subscribed, 3);
    }
}

#[tokio::test]
async fn new_cells_are_laid_over_what_stands_and_empty_ones_change_nothing() {
    for world in both().await {
        world.import(PEOPLE).await;
        let report =
            world.import("email,name,city,plan\nAN@gmail.com,,Hà Nội,pro\nbinh@b.vn,,,\n").await;
        assert_eq!(figures(&report), [2, 0, 1, 1, 0, 0, 0, 0]);
        assert_eq!(world.data("an@gmail.com").await, "An {\"city\":\"Hà Nội\",\"plan\":\"pro\"}");
        assert_eq!(world.data("binh@b.vn").await, "Bình {\"city\":\"Vinh\"}");
    }
}

#[tokio::test]
async fn a_contact_that_comes_on_another_list_is_updated() {
    for world in both().await {
        world.import(PEOPLE).await;
        let options = ImportOptions { list: "other".into(), ..options() };
        let report = world.try_import(PEOPLE, &options).await.unwrap();
        assert_eq!(figures(&report), [3, 0, 3, 0, 0, 0, 0, 0]);
        assert_eq!(world.contact("chi@b.vn").await.unwrap().subscriptions.len(), 2);
    }
}

#[tokio::test]
async fn duplicates_in_the_file_are_merged_and_counted() {
    for world in both().await {
        let report = world
            .import("email,name,a,b\nan@b.vn,An,1,2\nAn@B.vn,,3,\nbad,,,\nan@b.vn,,,4\n")
            .await;
        assert_eq!(figures(&report), [4, 1, 0, 0, 2, 1, 0, 0]);
        assert_eq!(world.data("an@b.vn").await, "An {\"a\":3,\"b\":4}");
    }
}

#[tokio::test]
async fn an_import_never_subscribes_again_who_left() {
    for world in both().await {
        world.import(PEOPLE).await;
        let an = world.contact("an@gmail.com").await.unwrap();
        let list = an.subscriptions[0].list;
        let wish = Unsubscribe {
            contact: an.id,
            from: UnsubscribeFrom::Lists(vec![list]),
            campaign: None,
            delivery: None,
            origin: "one-click".into(),
            at: world.clock.now(),
        };
        assert_eq!(world.store.unsubscribe(&wish).await.unwrap().lists, 1);
        assert_eq!(world.store.unsubscribe(&wish).await.unwrap().lists, 0);
        let report = world.import("email,city\nan@gmail.com,Sa Pa\nbinh@b.vn,Vinh\n").await;
        assert_eq!(figures(&report), [2, 0, 0, 1, 0, 0, 0, 1]);
        let an = world.contact("an@gmail.com").await.unwrap();
        assert_eq!(an.subscriptions[0].state, SubscriptionState::Unsubscribed);
        assert_eq!(an.attributes["city"], "Sa Pa");
        assert!(world.store.subscribe(an.id, list, world.clock.now()).await.unwrap());
        assert_eq!(figures(&world.import("email\nan@gmail.com\n").await), [1, 0, 0, 1, 0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn who_leaves_everything_is_on_no_later_list_either() {
    for world in both().await {
        world.import(PEOPLE).await;
        let an = world.contact("an@gmail.com").await.unwrap();
        let wish = Unsubscribe {
            contact: an.id,
            from: UnsubscribeFrom::Everything,
            campaign: None,
            delivery: None,
            origin: "page".into(),
            at: world.clock.now(),
        };
        world.store.unsubscribe(&wish).await.unwrap();
        let options = ImportOptions { list: "other".into(), ..options() };
        let report = world.try_import(PEOPLE, &options).await.unwrap();
        assert_eq!(figures(&report), [3, 0, 2, 0, 0, 0, 1, 0]);
        let an = world.contact("an@gmail.com").await.unwrap();
        assert_eq!(an.suppressions[0].reason, SuppressionReason::Unsubscribe);
    }
}

#[tokio::test]
async fn an_import_lifts_no_suppression() {
    for world in both().await {
        let address = EmailAddress::parse("an@gmail.com").unwrap();
        let new = NewSuppression {
            address: address.clone(),
            scope: SuppressionScope::All,
            reason: SuppressionReason::Complaint,
            origin: "cli".into(),
            at: world.clock.now(),
        };
        assert_eq!(world.store.suppress(&new).await.unwrap().added, 1);
        for _ in 0..2 {
            let report = world.import(PEOPLE).await;
            assert_eq!((report.tally.suppressed, report.tally.rejected), (1, 0));
        }
        assert_eq!(world.store.suppressions_against(&address).await.unwrap().len(), 1);
        assert!(world.store.unsuppress(&address, SuppressionScope::All).await.unwrap());
        assert_eq!(world.import(PEOPLE).await.tally.suppressed, 0);
    }
}

#[tokio::test]
async fn an_erased_person_is_not_brought_back() {
    for world in both().await {
        world.import(PEOPLE).await;
        world.import("email,city\nan@gmail.com,Sa Pa\n").await;
        let address = EmailAddress::parse("an@gmail.com").unwrap();
        let done = world.store.erase_contact(&address, "cli", world.clock.now()).await.unwrap();
        assert_eq!(done.contacts, 1);
        assert_eq!(figures(&world.import(PEOPLE).await), [3, 0, 0, 2, 0, 0, 1, 0]);
        let an = world.contact("an@gmail.com").await.unwrap();
        assert_eq!((an.address, an.name, an.attributes.len()), (None, None, 0));
        assert_eq!(an.suppressions[0].reason, SuppressionReason::Erased);
        assert_eq!(an.suppressions[0].address, None);
        // Only the operator's word opens the way back.
        world.store.unsuppress(&address, SuppressionScope::All).await.unwrap();
        assert_eq!(figures(&world.import(PEOPLE).await), [3, 0, 1, 2, 0, 0, 0, 0]);
        assert_eq!(world.data("an@gmail.com").await, "An {\"city\":\"Huế\"}");
    }
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    for world in both().await {
        let dry = ImportOptions { commit: Commit::RollBack, ..options() };
        let report = world.try_import(PEOPLE, &dry).await.unwrap();
        assert_eq!((figures(&report), report.import), ([3, 3, 0, 0, 0, 0, 0, 0], None));
        assert!(world.store.lists().await.unwrap().is_empty());
        assert!(world.contact("an@gmail.com").await.is_none());
        world.import("email,city\nan@gmail.com,Vinh\n").await;
        let report = world.try_import(PEOPLE, &dry).await.unwrap();
        assert_eq!(figures(&report), [3, 2, 1, 0, 0, 0, 0, 0]);
        assert_eq!(world.data("an@gmail.com").await, " {\"city\":\"Vinh\"}");
        assert_eq!(world.store.imports(9).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_unknown_list_is_refused_with_the_lists_that_there_are() {
    let world = one().await;
    let refuse = ImportOptions { missing_list: MissingList::Refuse, ..options() };
    let error = world.try_import(PEOPLE, &refuse).await.unwrap_err().to_string();
    assert!(error.contains("there is none yet"), "{error}");
    world.store.create_list("everybody", None, world.clock.now()).await.unwrap();
    let error = world.try_import(PEOPLE, &refuse).await.unwrap_err().to_string();
    assert_eq!(error, "no list named \"all\"; there are: everybody");
}

#[tokio::test]
async fn an_import_that_was_killed_is_completed_by_the_same_file() {
    for world in both().await {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        let mut text = "email,n\n".to_owned();
        for i in 0..40_000 {
            text.push_str(&format!("p{i}@b.vn,{i}\n"));
        }
        std::fs::write(&path, text).unwrap();
        let killed = {
            let options = options();
            let mut slices = 0;
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let mut stop = Some(stop);
            let mut progress = |_| {
                slices += 1;
                if slices == 4 {
                    stop.take().map(|s| s.send(()));
                }
            };
            let work = import_contacts(
                Input::File(path.clone()),
                &options,
                &world.store,
                &world.clock,
                &mut progress,
            );
            tokio::select! {
                biased;
                _ = stopped => true,
                done = work => { done.unwrap(); false }
            }
        };
        assert!(killed);
        let before = world.store.list("all").await.unwrap().subscribed;
        assert!(before > 0 && before < 40_000, "{before}");
        let report =
            import_contacts(Input::File(path), &options(), &world.store, &world.clock, &mut |_| {})
                .await
                .unwrap();
        assert_eq!(figures(&report), [40_000, 40_000, 0, 0, 0, 0, 0, 0]);
        assert_eq!(world.store.list("all").await.unwrap().subscribed, 40_000);
        let imports = world.store.imports(9).await.unwrap();
        assert_eq!((imports.len(), imports[0].finished_at.is_some()), (1, true));
    }
}

#[tokio::test]
async fn two_addresses_with_one_hash_are_never_one_contact() {
    for world in both().await {
        world.import(PEOPLE).await;
        let an = EmailAddress::parse("an@gmail.com").unwrap();
        let list = world.store.list_id("all").await.unwrap();
        let run = world.store.begin_import(list, "x", None, world.clock.now()).await.unwrap();
        let row = ImportRow {
            address: EmailAddress::parse("other@b.vn").unwrap(),
            hash: world.store.keys().address_hash(&an),
            provider: MailboxProvider::Other,
            name: Some("Other".into()),
            attributes: "{}".into(),
        };
        let slice = ImportSlice::new(vec![row]).unwrap();
        let now = world.clock.now();
        let fates = world.store.import_slice(run, &slice, Commit::Keep, now).await.unwrap();
        assert_eq!(fates, [RowFate::Collision]);
        assert_eq!(world.data("an@gmail.com").await, "An {\"city\":\"Huế\"}");
    }
}

#[tokio::test]
async fn imports_at_the_same_time_count_every_row_once() {
    for world in both().await {
        let text: String = std::iter::once("email\n".to_owned())
            .chain((0..3_000).map(|i| format!("p{i}@b.vn\n")))
            .collect();
        world.store.create_list("all", None, world.clock.now()).await.unwrap();
        let options = options();
        let run = || {
            import_contacts(
                stream(text.clone()),
                &options,
                &world.store,
                &world.clock,
                Box::leak(Box::new(|_| {})),
            )
        };
        let (a, b) = tokio::join!(run(), run());
        let (a, b) = (a.unwrap().tally, b.unwrap().tally);
        assert!(a.adds_up() && b.adds_up());
        assert_eq!(a.added + b.added, 3_000);
        assert_eq!(world.store.list("all").await.unwrap().subscribed, 3_000);
    }
}

#[tokio::test]
async fn a_stream_of_the_same_name_takes_up_nothing() {
    let world = one().await;
    let a = world.import("email\na@b.vn\n").await;
    let b = world.import("email\nb@b.vn\n").await;
    assert_ne!(a.import, b.import);
    assert!(matches!(world.try_import("", &options()).await, Err(Error::Empty { .. })));
}
