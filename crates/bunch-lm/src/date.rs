//! The date that `strftime_now` of a chat template prints.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// A moment in UTC, to the second, in the Gregorian calendar.
///
/// Python's `datetime.now()` is local time; the standard library knows no time zones, so a template that prints the hour
/// prints UTC's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Date {
    /// Seconds since 1970-01-01T00:00:00Z.
    seconds: u64,
}

impl Date {
    /// The present moment; the epoch on a clock set before it.
    pub(crate) fn now() -> Self {
        Self { seconds: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) }
    }

    /// Year, month from 1 and day of the month from 1.
    fn calendar(self) -> (u64, usize, u64) {
        let mut year = 1970;
        let mut day = self.seconds / 86_400;
        while day >= days_of(year) {
            day -= days_of(year);
            year += 1;
        }
        let february = if days_of(year) == 366 { 29 } else { 28 };
        let mut month = 1;
        for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if day < days {
                break;
            }
            day -= days;
            month += 1;
        }
        (year, month, day + 1)
    }

    /// Python's `strftime` in the C locale. A directive that is not known is copied, as the C library does.
    pub(crate) fn format(self, pattern: &str) -> String {
        let (year, month, day) = self.calendar();
        let (hour, minute, second) = (self.seconds / 3600 % 24, self.seconds / 60 % 60, self.seconds % 60);
        let half_day = if hour % 12 == 0 { 12 } else { hour % 12 };
        let month_name = MONTHS.get(month - 1).copied().unwrap_or_default();
        let weekday_index = (self.seconds / 86_400 % 7) as usize;
        let weekday = WEEKDAYS.get(weekday_index).copied().unwrap_or_default();
        let day_of_year = self.seconds / 86_400 - (1970..year).map(days_of).sum::<u64>() + 1;
        let mut text = String::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                text.push(character);
                continue;
            }
            let Some(directive) = characters.next() else {
                text.push('%');
                break;
            };
            let unpadded = if directive == '-' { characters.next() } else { None };
            let padded = match unpadded.unwrap_or(directive) {
                'Y' => year.to_string(),
                'y' => format!("{:02}", year % 100),
                'm' => format!("{month:02}"),
                'B' => month_name.to_owned(),
                'b' | 'h' => month_name.chars().take(3).collect(),
                'd' => format!("{day:02}"),
                'e' => format!("{day:2}"),
                'j' => format!("{day_of_year:03}"),
                'A' => weekday.to_owned(),
                'a' => weekday.chars().take(3).collect(),
                'H' => format!("{hour:02}"),
                'I' => format!("{half_day:02}"),
                'M' => format!("{minute:02}"),
                'S' => format!("{second:02}"),
                'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
                'F' => format!("{year}-{month:02}-{day:02}"),
                'T' => format!("{hour:02}:{minute:02}:{second:02}"),
                '%' => "%".to_owned(),
                other => format!("%{other}"),
            };
            let is_number = padded.chars().all(|digit| digit.is_ascii_digit() || digit == ' ');
            if unpadded.is_some() && is_number {
                let stripped = padded.trim_start_matches(['0', ' ']);
                text.push_str(if stripped.is_empty() { "0" } else { stripped });
            } else {
                text.push_str(&padded);
            }
        }
        text
    }
}

/// Days of a Gregorian year.
fn days_of(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if is_leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print_as_pythons_strftime_prints_them() {
        // datetime.fromtimestamp(s, timezone.utc).strftime(...), Python 3.11.
        let all = "%Y-%m-%d %y %B %b %e %j %A %a %H %I %M %S %p %F %T 100%%";
        let expected = [
            (0, "1970-01-01 70 January Jan  1 001 Thursday Thu 00 12 00 00 AM 1970-01-01 00:00:00 100%"),
            (951_782_399, "2000-02-28 00 February Feb 28 059 Monday Mon 23 11 59 59 PM 2000-02-28 23:59:59 100%"),
            (951_782_400, "2000-02-29 00 February Feb 29 060 Tuesday Tue 00 12 00 00 AM 2000-02-29 00:00:00 100%"),
            (1_735_689_599, "2024-12-31 24 December Dec 31 366 Tuesday Tue 23 11 59 59 PM 2024-12-31 23:59:59 100%"),
            (4_107_542_400, "2100-03-01 00 March Mar  1 060 Monday Mon 00 12 00 00 AM 2100-03-01 00:00:00 100%"),
        ];
        for (seconds, text) in expected {
            assert_eq!(Date { seconds }.format(all), text);
        }
        let date = Date { seconds: 1_741_219_205 };
        assert_eq!(date.format("%d %b %Y"), "06 Mar 2025");
        assert_eq!(date.format("%-d %-m %-H %-M %-B"), "6 3 0 0 March");
        assert_eq!(date.format("%Q 5%"), "%Q 5%");
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(Date::now().format("%Y").parse::<u64>().is_ok_and(|year| year >= 2025));
    }
}
