//! Tests of the filter: a table of conditions, and the laws of three-valued logic as properties.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn attribute(name: &str) -> Operand {
    Operand::Field(Field::Attribute(name.into()))
}

fn text(t: &str) -> Operand {
    Operand::Literal(Literal::Text(t.into()))
}

fn int(n: i64) -> Operand {
    Operand::Literal(Literal::Int(n))
}

fn check(filter: &Filter, expected: Truth) {
    let address = EmailAddress::parse("Anna@GMail.com").unwrap();
    let attributes = json!({
        "city": "Hà Nội", "age": 31, "score": 1.5, "vip": true, "zip": "00700", "empty": null, "tags": ["a", "b"],
    });
    let subject = Subject {
        address: &address,
        provider: MailboxProvider::Google,
        name: Some("Anna Lê"),
        attributes: attributes.as_object().unwrap(),
        created_at: Timestamp(1_795_300_000_000),
    };
    assert_eq!(filter.eval(&subject), expected, "{filter:?}");
}

#[test]
fn values_are_compared_by_what_they_are() {
    use Comparison as C;
    let compare =
        |a: Operand, op, b: Operand, expected| check(&Filter::Compare(a, op, b), expected);
    compare(attribute("city"), C::Eq, text("Hà Nội"), Truth::True);
    compare(attribute("city"), C::Eq, text("hà nội"), Truth::False);
    compare(attribute("age"), C::Gt, int(30), Truth::True);
    compare(attribute("age"), C::Eq, text("31"), Truth::True);
    compare(attribute("score"), C::Lt, int(2), Truth::True);
    compare(attribute("vip"), C::Eq, text("true"), Truth::True);
    compare(attribute("zip"), C::Eq, text("700"), Truth::False);
    compare(attribute("city"), C::Eq, int(7), Truth::False);
    compare(attribute("city"), C::Ne, int(7), Truth::True);
    compare(attribute("city"), C::Gt, int(7), Truth::Unknown);
    compare(attribute("missing"), C::Ne, int(7), Truth::Unknown);
    compare(attribute("empty"), C::Eq, Operand::Literal(Literal::Null), Truth::Unknown);
    compare(Operand::Field(Field::Address), C::Eq, text("ANNA@gmail.com"), Truth::True);
    compare(Operand::Field(Field::Provider), C::Eq, text("Google"), Truth::True);
    compare(Operand::Field(Field::CreatedAt), C::Ge, text("2026-11-01"), Truth::True);
    let big = Operand::Literal(Literal::Int(9_007_199_254_740_993));
    compare(big, C::Eq, int(9_007_199_254_740_992), Truth::False);
}

#[test]
fn lists_ranges_and_nulls_follow_sql() {
    let null = || Operand::Literal(Literal::Null);
    check(&Filter::In(attribute("age"), vec![int(30), int(31)], Sense::Plain), Truth::True);
    check(&Filter::In(attribute("age"), vec![int(30), null()], Sense::Plain), Truth::Unknown);
    check(&Filter::In(attribute("age"), vec![int(30), null()], Sense::Negated), Truth::Unknown);
    check(&Filter::In(attribute("age"), vec![], Sense::Negated), Truth::True);
    check(&Filter::Between(attribute("age"), int(30), int(31), Sense::Plain), Truth::True);
    check(&Filter::Between(attribute("age"), int(40), null(), Sense::Negated), Truth::True);
    check(&Filter::IsNull(attribute("empty"), Sense::Plain), Truth::True);
    check(&Filter::IsNull(attribute("city"), Sense::Negated), Truth::True);
    check(&Filter::Holds(attribute("vip")), Truth::True);
    check(&Filter::Holds(attribute("missing")), Truth::Unknown);
    let unknown = Box::new(Filter::Holds(attribute("missing")));
    check(&Filter::Is(unknown.clone(), Truth::Unknown, Sense::Plain), Truth::True);
    check(&Filter::Is(unknown, Truth::True, Sense::Negated), Truth::True);
}

#[test]
fn patterns_match_whole_texts() {
    let like = |pattern: &str, case, expected| {
        let pattern = Pattern::new(pattern, Some('\\'), case);
        check(&Filter::Like(attribute("city"), pattern, Sense::Plain), Truth::of(expected));
    };
    like("Hà%", Case::Exact, true);
    like("hÀ n_i", Case::Ignored, true);
    like("hà%", Case::Exact, false);
    like("%ội", Case::Exact, true);
    like("%à%i%", Case::Exact, true);
    like("", Case::Exact, false);
    like("%", Case::Exact, true);
    like("Hà N\\_i", Case::Exact, false);
    let pattern = Pattern::new("%", None, Case::Exact);
    check(&Filter::Like(attribute("missing"), pattern, Sense::Negated), Truth::Unknown);
}

#[test]
fn the_attributes_that_a_filter_reads_are_named_once() {
    let filter = Filter::And(vec![
        Filter::Not(Box::new(Filter::Holds(attribute("vip")))),
        Filter::In(attribute("city"), vec![attribute("vip")], Sense::Plain),
    ]);
    assert_eq!(filter.attributes(), ["vip", "city"]);
}

fn any_operand() -> impl Strategy<Value = Operand> {
    prop_oneof![
        prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(attribute),
        Just(Operand::Field(Field::Address)),
        Just(Operand::Field(Field::CreatedAt)),
        Just(Operand::Literal(Literal::Null)),
        any::<bool>().prop_map(|b| Operand::Literal(Literal::Bool(b))),
        any::<i64>().prop_map(int),
        any::<f64>().prop_map(|n| Operand::Literal(Literal::Float(n))),
        "[a-c0-9%_]{0,4}".prop_map(|t| text(&t)),
    ]
}

fn any_comparison() -> impl Strategy<Value = Comparison> {
    use Comparison as C;
    prop_oneof![Just(C::Eq), Just(C::Ne), Just(C::Lt), Just(C::Le), Just(C::Gt), Just(C::Ge)]
}

fn any_sense() -> impl Strategy<Value = Sense> {
    prop_oneof![Just(Sense::Plain), Just(Sense::Negated)]
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        any_operand().prop_map(Filter::Holds),
        (any_operand(), any_comparison(), any_operand())
            .prop_map(|(a, op, b)| Filter::Compare(a, op, b)),
        (any_operand(), proptest::collection::vec(any_operand(), 0..3), any_sense())
            .prop_map(|(a, list, s)| Filter::In(a, list, s)),
        (any_operand(), "[a-c%_\\\\]{0,5}", any_sense()).prop_map(|(a, p, s)| Filter::Like(
            a,
            Pattern::new(&p, Some('\\'), Case::Ignored),
            s
        )),
        (any_operand(), any_operand(), any_operand(), any_sense())
            .prop_map(|(a, b, c, s)| Filter::Between(a, b, c, s)),
        (any_operand(), any_sense()).prop_map(|(a, s)| Filter::IsNull(a, s)),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|f| Filter::Not(Box::new(f))),
            (inner.clone(), any_sense()).prop_map(|(f, s)| Filter::Is(
                Box::new(f),
                Truth::Unknown,
                s
            )),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Filter::And),
            proptest::collection::vec(inner, 0..3).prop_map(Filter::Or),
        ]
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-c0-9]{0,4}".prop_map(Value::from),
        Just(json!(["a"])),
    ]
}

proptest! {
    #[test]
    fn three_valued_logic_keeps_its_laws(f in any_filter(), g in any_filter(), a in any_value(), b in any_value()) {
        let address = EmailAddress::parse("a@b.com").unwrap();
        let mut attributes = Map::new();
        attributes.insert("a".into(), a);
        attributes.insert("b".into(), b);
        let subject = Subject {
            address: &address, provider: MailboxProvider::Other, name: None, attributes: &attributes,
            created_at: Timestamp(0),
        };
        let eval = |f: &Filter| f.eval(&subject);
        let not = |f: &Filter| Filter::Not(Box::new(f.clone()));
        prop_assert_eq!(eval(&not(&not(&f))), eval(&f));
        let both = Filter::And(vec![f.clone(), g.clone()]);
        let either = Filter::Or(vec![f.clone(), g.clone()]);
        prop_assert_eq!(eval(&both), eval(&Filter::And(vec![g.clone(), f.clone()])));
        prop_assert_eq!(eval(&not(&both)), eval(&Filter::Or(vec![not(&f), not(&g)])), "De Morgan");
        prop_assert_eq!(eval(&not(&either)), eval(&Filter::And(vec![not(&f), not(&g)])), "De Morgan");
        prop_assert_eq!(eval(&Filter::Or(vec![f.clone(), both])), eval(&f), "absorption");
        prop_assert!(eval(&Filter::Is(Box::new(f.clone()), Truth::Unknown, Sense::Plain)) != Truth::Unknown);
        if let Filter::Compare(x, Comparison::Eq, y) = &f {
            let ne = Filter::Compare(x.clone(), Comparison::Ne, y.clone());
            prop_assert_eq!(eval(&ne), eval(&f).negated());
        }
        if let Filter::Between(v, l, h, Sense::Plain) = &f {
            let pair = Filter::And(vec![
                Filter::Compare(v.clone(), Comparison::Ge, l.clone()),
                Filter::Compare(v.clone(), Comparison::Le, h.clone()),
            ]);
            prop_assert_eq!(eval(&pair), eval(&f));
        }
    }
}
