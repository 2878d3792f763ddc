//! JUnit XML of scenario results, as read by GitLab, Jenkins and GitHub reporters: one suite per
//! file, one case per scenario.

use std::fmt::Write;

use super::scenario_report::{ScenarioFileResult, ScenarioReport};

/// JUnit XML document of a report.
pub(crate) fn document(report: &ScenarioReport) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let errors: usize = report
        .files
        .iter()
        .filter(|file| !file.faults.is_empty())
        .count();
    let (passed, failed) = (report.passed, report.failed);
    // Writing to a string does not fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"afterword\" tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\">",
        passed + failed + errors
    );
    report.files.iter().for_each(|file| suite(&mut xml, file));
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, tested: &ScenarioFileResult) {
    let file = escaped(&tested.file);
    let failures = tested
        .scenarios
        .iter()
        .filter(|scenario| !scenario.passed)
        .count();
    let errors = usize::from(!tested.faults.is_empty());
    let tests = tested.scenarios.len() + errors;
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">"
    );
    for scenario in &tested.scenarios {
        let (name, line) = (escaped(&scenario.name), scenario.line);
        let _ = write!(
            xml,
            "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\""
        );
        let Some(first) = scenario.differences.first() else {
            xml.push_str("/>\n");
            continue;
        };
        let message = escaped(&format!(
            "at {}: {}: expected {}, got {}",
            first.at, first.what, first.expected, first.got
        ));
        let text: String = scenario
            .differences
            .iter()
            .map(ToString::to_string)
            .collect();
        let text = escaped(&format!(
            "{}:{line}:1: {}\n{text}",
            tested.file, scenario.name
        ));
        let _ = writeln!(
            xml,
            ">\n      <failure message=\"{message}\" type=\"difference\">{text}</failure>\n    </testcase>"
        );
    }
    if let Some(first) = tested.faults.first() {
        let (line, message) = (first.line, escaped(&first.message));
        let text: Vec<String> = tested.faults.iter().map(ToString::to_string).collect();
        let text = escaped(&text.join("\n"));
        let _ = write!(
            xml,
            "    <testcase name=\"the file can be read\" classname=\"{file}\" file=\"{file}\" line=\"{line}\">"
        );
        let _ = writeln!(
            xml,
            "\n      <error message=\"{message}\" type=\"fault\">{text}</error>\n    </testcase>"
        );
    }
    xml.push_str("  </testsuite>\n");
}

/// Escapes text for a double-quoted attribute or for content. Characters that XML 1.0 forbids
/// become U+FFFD; line breaks become references, since an attribute would normalize them to spaces.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\n' | '\r' | '\t' => {
                let _ = write!(xml, "&#{};", u32::from(c));
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            // Allowed, but only when spelt out in XML 1.1; readers of either version take a reference.
            '\u{7f}'..='\u{9f}' => {
                let _ = write!(xml, "&#{};", u32::from(c));
            }
            _ => xml.push(c),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::{document, escaped};
    use crate::cli::scenario_report::{ScenarioFileResult, ScenarioReport, ScenarioResult};
    use crate::model::fault::Fault;
    use crate::trial::difference::Difference;

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            escaped("a < b && c > \"d\" 'e'"),
            "a &lt; b &amp;&amp; c &gt; &quot;d&quot; &apos;e&apos;"
        );
        assert_eq!(escaped("]]>\n\ttwo\r"), "]]&gt;&#10;&#9;two&#13;");
        assert_eq!(
            escaped("\0\u{1b}[31m\u{ffff}é\u{85}😀"),
            "\u{fffd}\u{fffd}[31m\u{fffd}é&#133;😀"
        );
    }

    #[test]
    fn report_becomes_suites_cases_failures_and_errors() {
        let text = String::from;
        let difference = Difference {
            at: text("30m"),
            line: 9,
            what: text("decision"),
            expected: text("hold"),
            got: text("none"),
            why: text("a < b"),
        };
        let scenarios = vec![
            ScenarioResult {
                name: text("fine"),
                line: 3,
                passed: true,
                differences: Vec::new(),
            },
            ScenarioResult {
                name: text("\"quoted\""),
                line: 7,
                passed: false,
                differences: vec![difference],
            },
        ];
        let fault = Fault {
            file: text("b.test.yaml"),
            line: 2,
            column: 5,
            message: text("unknown key `a&b`"),
        };
        let report = ScenarioReport {
            passed: 1,
            failed: 1,
            files: vec![
                ScenarioFileResult {
                    file: text("a.test.yaml"),
                    scenarios,
                    faults: Vec::new(),
                },
                ScenarioFileResult {
                    file: text("b.test.yaml"),
                    scenarios: Vec::new(),
                    faults: vec![fault],
                },
            ],
        };
        insta::assert_snapshot!(document(&report), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="afterword" tests="3" failures="1" errors="1">
          <testsuite name="a.test.yaml" tests="2" failures="1" errors="0">
            <testcase name="fine" classname="a.test.yaml" file="a.test.yaml" line="3"/>
            <testcase name="&quot;quoted&quot;" classname="a.test.yaml" file="a.test.yaml" line="7">
              <failure message="at 30m: decision: expected hold, got none" type="difference">a.test.yaml:7:1: &quot;quoted&quot;&#10;  at 30m: decision&#10;    - hold (expected)&#10;    + none (got)&#10;      a &lt; b&#10;</failure>
            </testcase>
          </testsuite>
          <testsuite name="b.test.yaml" tests="1" failures="0" errors="1">
            <testcase name="the file can be read" classname="b.test.yaml" file="b.test.yaml" line="2">
              <error message="unknown key `a&amp;b`" type="fault">b.test.yaml:2:5: unknown key `a&amp;b`</error>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
