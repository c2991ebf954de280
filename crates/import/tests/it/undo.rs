//! Imports taken back.

use crate::world::{both, options};
use postroad_import::ImportOptions;
use postroad_model::Clock;
use postroad_store::{Unsubscribe, UnsubscribeFrom};

#[tokio::test]
async fn what_only_the_import_knew_is_gone_and_what_it_changed_is_back() {
    for world in both().await {
        world.import("email,name,city\nan@b.vn,An,Huế\n").await;
        let second = world.import("email,name,city\nan@b.vn,Anna,Vinh\nbinh@b.vn,Bình,\n").await;
        let id = second.import.unwrap();
        let report = world.store.undo_import(id, world.clock.now()).await.unwrap();
        assert_eq!((report.removed, report.restored, report.taken_off, report.kept), (1, 1, 0, 0));
        assert_eq!(world.data("an@b.vn").await, "An {\"city\":\"Huế\"}");
        assert!(world.contact("binh@b.vn").await.is_none());
        assert_eq!(world.store.list("all").await.unwrap().subscribed, 1);
        let again = world.store.undo_import(id, world.clock.now()).await.unwrap();
        assert_eq!((again.removed, again.undone_before), (0, Some(world.clock.now())));
    }
}

#[tokio::test]
async fn what_something_else_touched_since_stays() {
    for world in both().await {
        let first = world
            .import("email,city\nan@b.vn,Huế\nbinh@b.vn,Huế\nchi@b.vn,Huế\ndung@b.vn,Huế\n")
            .await;
        world.import("email,city\nan@b.vn,Vinh\n").await;
        let other = ImportOptions { list: "other".into(), ..options() };
        world.try_import("email\nbinh@b.vn\n", &other).await.unwrap();
        let chi = world.contact("chi@b.vn").await.unwrap();
        let wish = Unsubscribe {
            contact: chi.id,
            from: UnsubscribeFrom::Lists(vec![chi.subscriptions[0].list]),
            campaign: None,
            delivery: None,
            origin: "one-click".into(),
            at: world.clock.now(),
        };
        world.store.unsubscribe(&wish).await.unwrap();
        let report =
            world.store.undo_import(first.import.unwrap(), world.clock.now()).await.unwrap();
        assert_eq!((report.removed, report.taken_off, report.kept), (1, 2, 1));
        assert_eq!(world.data("an@b.vn").await, " {\"city\":\"Vinh\"}");
        assert_eq!(world.contact("binh@b.vn").await.unwrap().subscriptions.len(), 1);
        // Who left is remembered: a later import must not bring them back.
        assert_eq!(world.import("email\nchi@b.vn\n").await.tally.unsubscribed, 1);
        assert!(world.contact("dung@b.vn").await.is_none());
    }
}

#[tokio::test]
async fn data_that_were_changed_again_are_not_set_back() {
    for world in both().await {
        world.import("email,city\nan@b.vn,A\n").await;
        let second = world.import("email,city\nan@b.vn,B\n").await.import.unwrap();
        let third = world.import("email,city\nan@b.vn,C\n").await.import.unwrap();
        let report = world.store.undo_import(second, world.clock.now()).await.unwrap();
        assert_eq!((report.restored, report.changed_since), (0, 1));
        assert_eq!(world.data("an@b.vn").await, " {\"city\":\"C\"}");
        world.store.undo_import(third, world.clock.now()).await.unwrap();
        assert_eq!(world.data("an@b.vn").await, " {\"city\":\"B\"}");
    }
}

#[tokio::test]
async fn an_unknown_import_is_said_to_be_unknown() {
    for world in both().await {
        let error = world
            .store
            .undo_import(postroad_model::ImportId(7), world.clock.now())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no import named \"7\"; each import prints its number when it ends"
        );
    }
}
