//! The planner from outside: stories with golden explanations, and properties over random campaigns.

#[cfg(test)]
mod inputs;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;
