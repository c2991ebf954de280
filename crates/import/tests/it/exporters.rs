//! The files that other programs export, with invented people.

use crate::world::{both, figures, one, options};
use postroad_import::{ImportOptions, export_contacts};

async fn check(text: &str, address: &str, data: &str) {
    let world = one().await;
    let report = world.import(text).await;
    assert_eq!(report.tally.rejected, 0, "{:?}", report.first_rejected);
    assert_eq!(world.data(address).await, data);
}

#[tokio::test]
async fn google_contacts() {
    check(
        "First Name,Middle Name,Last Name,Organization Name,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Value\n\
         Anna,,Le,Example Ltd,* myContacts,* Work,anna@example.com,Home,anna2@example.org,+84 912 345 678\n",
        "anna@example.com",
        "Anna Le {\"company\":\"Example Ltd\",\"e_mail_1_label\":\"* Work\",\"e_mail_2_label\":\"Home\",\"first_name\":\"Anna\",\"labels\":\"* myContacts\",\"last_name\":\"Le\",\"phone\":\"+84 912 345 678\"}",
    )
    .await;
    check(
        "Name,Given Name,Family Name,E-mail 1 - Type,E-mail 1 - Value\n\
         Binh Tran,Binh,Tran,* Other,binh@example.com ::: binh2@example.com\n",
        "binh@example.com",
        "Binh Tran {\"e_mail_1_type\":\"* Other\",\"first_name\":\"Binh\",\"last_name\":\"Tran\"}",
    )
    .await;
}

#[tokio::test]
async fn outlook() {
    check(
        "\"First Name\",\"Middle Name\",\"Last Name\",\"Company\",\"Mobile Phone\",\"E-mail Address\",\"E-mail 2 Address\",\"Birthday\"\r\n\
         \"Chi\",\"Thi\",\"Pham\",\"Example\",\"0912\",\"\",\"chi@example.com\",\"0/0/00\"\r\n",
        "chi@example.com",
        "Chi Thi Pham {\"birthday\":\"0/0/00\",\"company\":\"Example\",\"first_name\":\"Chi\",\"last_name\":\"Pham\",\"middle_name\":\"Thi\",\"phone\":\"0912\"}",
    )
    .await;
}

#[tokio::test]
async fn mailchimp() {
    check(
        "\"Email Address\",\"First Name\",\"Last Name\",Address,\"Phone Number\",MEMBER_RATING,OPTIN_TIME,LATITUDE,TAGS\n\
         dung@example.com,Dung,Le,\"1 Le Loi\",0987654321,2,\"2026-01-02 03:04:05\",16.0545,\"\"\"VIP\"\"\"\n",
        "dung@example.com",
        "Dung Le {\"address_2\":\"1 Le Loi\",\"first_name\":\"Dung\",\"last_name\":\"Le\",\"latitude\":16.0545,\"member_rating\":2,\"optin_time\":\"2026-01-02 03:04:05\",\"phone\":\"0987654321\",\"tags\":\"\\\"VIP\\\"\"}",
    )
    .await;
}

#[tokio::test]
async fn hubspot_with_people_who_opted_out() {
    let world = one().await;
    let report = world
        .import(
            "Record ID,First Name,Last Name,Email,Phone Number,Lifecycle Stage,Unsubscribed from all email\n\
             101,Em,Vo,em@example.com,0911,Lead,false\n\
             102,Gia,Ho,gia@example.com,0912,Customer,true\n",
        )
        .await;
    assert_eq!(figures(&report), [2, 1, 0, 0, 0, 1, 0, 0]);
    assert_eq!(report.reasons.get("opted_out"), Some(&1));
    assert_eq!(report.first_rejected[0].column, "Unsubscribed from all email");
    assert_eq!(
        world.data("em@example.com").await,
        "Em Vo {\"first_name\":\"Em\",\"last_name\":\"Vo\",\"lifecycle_stage\":\"Lead\",\"phone\":\"0911\",\"record_id\":101}"
    );
}

#[tokio::test]
async fn listmonk_whose_attributes_are_json() {
    let world = one().await;
    let report = world
        .import(
            "uuid,email,name,attributes,status,created_at,updated_at\n\
             6f1c,hanh@example.com,Hanh Ngo,\"{\"\"city\"\": \"\"Huế\"\", \"\"orders\"\": 3, \"\"tags\"\": [\"\"a\"\"]}\",enabled,2026-01-01,2026-01-02\n\
             6f1d,ich@example.com,Ich,{},blocklisted,2026-01-01,2026-01-02\n",
        )
        .await;
    assert_eq!(figures(&report), [2, 1, 0, 0, 0, 1, 0, 0]);
    assert_eq!(
        world.data("hanh@example.com").await,
        "Hanh Ngo {\"city\":\"Huế\",\"created_at_2\":\"2026-01-01\",\"orders\":3,\"tags\":[\"a\"],\"updated_at\":\"2026-01-02\",\"uuid\":\"6f1c\"}"
    );
}

#[tokio::test]
async fn vietnamese_names_stand_in_vietnamese_order() {
    check(
        "Họ,Tên đệm,Tên,Thư điện tử,Số điện thoại,Ngày sinh\nNguyễn,Thị,Khánh,khanh@example.vn,0913,01/02/1990\n",
        "khanh@example.vn",
        "Nguyễn Thị Khánh {\"birthday\":\"01/02/1990\",\"first_name\":\"Khánh\",\"last_name\":\"Nguyễn\",\"middle_name\":\"Thị\",\"phone\":\"0913\"}",
    )
    .await;
}

#[tokio::test]
async fn our_own_export_comes_back_as_it_was() {
    for first in both().await {
        first.import("email,name,city,n\nan@b.vn,An,Huế,3\nbinh@b.vn,\"Bình, Trần\",,\n").await;
        for list in [Some("all"), None] {
            let mut out = Vec::new();
            let count = export_contacts(&first.store, list, &mut out).await.unwrap();
            assert_eq!(count, 2);
            let second = one().await;
            let options = ImportOptions { mapping: "since=skip".parse().unwrap(), ..options() };
            let report = second.try_import(out, &options).await.unwrap();
            assert_eq!(figures(&report), [2, 2, 0, 0, 0, 0, 0, 0]);
            for address in ["an@b.vn", "binh@b.vn"] {
                assert_eq!(second.data(address).await, first.data(address).await);
            }
        }
    }
}
