@testable import BenchReport
import BenchResults
import Foundation
import Testing

@Suite struct ReportTests {
    @Test func thePageHasEverySection() {
        let page = HTMLReport.render(Sample.results)
        for id in ["goals", "checks", "load", "fleet", "micro", "latency", "series", "absent", "versions"] {
            #expect(page.contains("<section id=\"\(id)\""))
        }
        #expect(page.contains("✓") && page.contains("Missed by 7.9\u{a0}%"))
        #expect(page.contains("Missed by a factor of 3.55"))
        #expect(page.contains("Not measured") && page.contains("needs more than two cores"))
        #expect(page.contains("57,626,124"))
    }

    @Test func thePageNeedsNothingElse() {
        let page = HTMLReport.render(Sample.results)
        for part in ["<script", "http://", "https://", "src=", "@import", "url("] {
            #expect(!page.contains(part), "\(part)")
        }
    }

    @Test func everyPictureHasAName() {
        let page = HTMLReport.render(Sample.results)
        let pictures = page.matches(of: /role="img" aria-labelledby="([^" ]+) ([^" ]+)"/)
        #expect(pictures.count == 12)
        for picture in pictures {
            #expect(page.contains("<title id=\"\(picture.1)\">"))
            #expect(page.contains("<desc id=\"\(picture.2)\">"))
        }
        let ids = page.matches(of: /\sid="([^"]+)"/).map { String($0.1) }
        #expect(ids.count == Set(ids).count)
        #expect(page.matches(of: /<details>/).count == pictures.count)
    }

    @Test func everyElementEnds() {
        let page = HTMLReport.render(Sample.results)
        let empty: Set<String> = ["meta", "line", "rect", "use", "circle", "path"]
        var open: [String] = []
        for tag in page.matches(of: /<(\/?)([a-z0-9]+)[^>]*?(\/?)>/) where !empty.contains(String(tag.2)) {
            if tag.1.isEmpty {
                open.append(String(tag.2))
            } else {
                #expect(open.popLast() == String(tag.2))
            }
        }
        #expect(open.isEmpty)
    }

    @Test func theSameResultsMakeTheSamePage() {
        #expect(HTMLReport.render(Sample.results) == HTMLReport.render(Sample.results))
        #expect(MarkdownReport.render(Sample.results) == MarkdownReport.render(Sample.results))
    }

    @Test func whatWasMeasuredIsNoMarkup() {
        var results = Sample.results
        let evil = "<script>alert('1')</script> & \"|\" \u{0}"
        results.run.commit = evil
        results.run.versions = [evil: evil]
        results.figures = ["load", "micro"].map {
            Sample.figure(evil, evil + $0, evil, 4, kind: Figure.Kind(rawValue: $0) ?? .load)
        }
        results.figures.append(Sample.figure(evil, "another", evil, 5))
        for index in results.goals.indices {
            results.goals[index].what = evil
            results.goals[index].note = evil
        }
        for index in results.curves.indices { results.curves[index].group = evil }
        for index in results.series.indices { results.series[index].subject = evil }
        results.absent = [Absent(subject: evil, reason: evil)]
        results.checks = [Check(what: evil, count: 1, failures: 0)]
        let page = HTMLReport.render(results)
        #expect(!page.contains("<script") && !page.contains("\u{0}") && !page.contains("alert('"))
        #expect(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;|&quot;"))
        let text = MarkdownReport.render(results)
        #expect(text.contains("\\|") && !text.contains("<script"))
    }

    @Test func interpolatedTextIsEscapedAndMarkupIsNot() {
        let part: Markup = "<b>\("a < b")</b>"
        let whole: Markup = "<p>\(part)\(3)\(0.5)</p>"
        #expect(whole.text == "<p><b>a &lt; b</b>30.5</p>")
    }

    @Test func nothingMeasuredIsStillAPage() {
        let empty = Results(run: Sample.run)
        #expect(HTMLReport.render(empty).contains("<h1>"))
        #expect(!HTMLReport.render(empty).contains("<section id=\"goals\""))
        #expect(MarkdownReport.render(empty).contains("9cf516144b1c"))
        var hollow = empty
        hollow.figures = ["quash", "peer"].map {
            Figure(kind: .load, group: "rate", subject: $0, unit: "ms", better: .lower, rounds: [])
        }
        hollow.curves = [LatencyCurve(group: "latency", subject: "quash", offeredRate: nil, count: 0, points: [])]
        hollow.series = [Series(group: "line", subject: "quash", xUnit: "", yUnit: "", points: [])]
        hollow.goals = [Goal(what: "all", against: "", relation: .atMost, limit: 0, rounds: [])]
        let page = HTMLReport.render(hollow)
        #expect(page.contains("not measured") && !page.contains("NaN") && !page.contains("nan"))
        #expect(!MarkdownReport.render(hollow).contains("nan"))
    }

    @Test func zerosAreNotDrawnOnALogarithmicAxisAndSaid() {
        var results = Results(run: Sample.run)
        results.curves = [
            LatencyCurve(
                group: "latency", subject: "quash", offeredRate: nil, count: 3,
                points: [(0.5, 0), (0.9, 10), (0.99, 20)].map { .init(quantile: $0, microseconds: $1) })
        ]
        #expect(HTMLReport.render(results).contains("1 point at zero has no place on a logarithmic axis."))
        results.curves[0].points.removeFirst()
        #expect(!HTMLReport.render(results).contains("no place on"))
    }

    @Test func barsOfNothingHaveNoLength() {
        var results = Results(run: Sample.run)
        results.figures = ["quash", "peer"].map {
            Figure(kind: .load, group: "rate", subject: $0, unit: "ms", better: .lower, rounds: [0, 0])
        }
        #expect(HTMLReport.render(results).contains("width=\"0%\""))
    }

    @Test func theBestComesFirst() {
        let figures = [("a", 3.0), ("b", 9), ("c", 6)].map { Sample.figure("rate", $0.0, "req/s", $0.1) }
        #expect(FigureGroup.all(figures, of: .load)[0].figures.map(\.subject) == ["b", "c", "a"])
        let costs = figures.map {
            Figure(kind: .load, group: "cost", subject: $0.subject, unit: "µs", better: .lower, rounds: $0.rounds)
        }
        #expect(FigureGroup.all(costs, of: .load)[0].figures.map(\.subject) == ["a", "c", "b"])
    }

    @Test func goalsAreJudgedByTheMedianAndEveryRoundIsLookedAt() {
        func verdict(_ relation: Goal.Relation, _ limit: Double, _ rounds: [Double], unit: String = "") -> String {
            GoalSummary(
                Goal(what: "", against: "", relation: relation, limit: limit, unit: unit, rounds: rounds)
            ).verdict
        }
        #expect(verdict(.atLeast, 4, [4, 5, 6]) == "Reached")
        #expect(verdict(.atLeast, 4, [3, 5, 6]) == "Reached, not in every round")
        #expect(verdict(.atLeast, 4, [3, 3, 6]) == "Missed by 25\u{a0}%")
        #expect(verdict(.atMost, 1, [1.05]) == "Missed by 5.0\u{a0}%")
        #expect(verdict(.atMost, 1, [1, 0.5]) == "Reached")
        #expect(verdict(.atMost, 0, [3], unit: "ms") == "Missed by 3.00\u{a0}ms")
        #expect(verdict(.atMost, 2, [7.1]) == "Missed by a factor of 3.55")
        #expect(verdict(.atMost, 2, []) == "Not measured")
    }

    @Test func aWrongAnswerIsNotOverlooked() {
        var results = Sample.results
        #expect(!HTMLReport.render(results).contains("<tr class=\"alarm\">"))
        results.checks[1].failures = 3
        let page = HTMLReport.render(results)
        #expect(page.contains("<tr class=\"alarm\"><th scope=\"row\">Forged tokens refused</th>"))
        #expect(page.contains("<p class=\"tile missed\"><strong>3</strong> <span>wrong answers</span>"))
    }

    @Test func longLabelsAreWrapped() {
        #expect("one two three".wrapped(at: 7) == ["one two", "three"])
        #expect("one".wrapped(at: 2) == ["one"])
        // One line less is not possible, and none is nearly empty.
        #expect("one two three four five".wrapped(at: 20) == ["one two three", "four five"])
        #expect("".wrapped(at: 2).isEmpty)
        #expect(Array(0..<100).thinned(to: 4) == [0, 33, 66, 99])
        #expect(Array(0..<3).thinned(to: 4) == [0, 1, 2])
    }

    @Test func headingsBeginWithACapitalAndNamesDoNot() {
        #expect("revoke → applied".capitalised == "Revoke → applied")
        #expect("nginx auth_request".capitalised == "nginx auth_request")
        #expect("p99 of all".capitalised == "p99 of all")
        #expect("SIGCONT".capitalised == "SIGCONT")
        #expect("".capitalised.isEmpty)
    }

    @Test func theCommitIsShort() {
        var run = Sample.run
        run.commit = "a90090fc57c8c3a237146c302521cd7f1098a092+"
        #expect(run.shortCommit == "a90090fc57c8+")
        run.commit = "a90090f+"
        #expect(run.shortCommit == "a90090f+")
    }

    @Test func markdownHasTheSameGoals() {
        let text = MarkdownReport.render(Sample.results)
        #expect(text.contains("| Goal | Against | Reach | Median | Range | Result |\n|---|---|---:|---:|---:|---|\n"))
        #expect(text.contains("**Missed by 7.9 %**: the peer's rounds vary by 10 % here |"))
        #expect(
            text.contains(
                """
                | Warm validation, requests per second | **quash** | **134,800 req/s** | 132,000 – 138,800 |
                |  | nginx return 204, no validation | 129,500 req/s | 126,800 – 133,400 |

                """))
    }
}
