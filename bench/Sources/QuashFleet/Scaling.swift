import BenchResults
import FleetParts
import Foundation

/// What a fleet of many thousands would do: what each thing costs is measured here, in the same run, and the rest is
/// worked out in virtual time.
struct Scaling {
    let fleet: QuashProcesses
    let report: Report

    func run() throws {
        report.say("Scaling: measuring what things cost Redis and the issuer")
        let costs = try ScalingProbe(fleet, report).measure()
        limits(costs)
        simulate(costs)
        recommend(costs)
    }

    private static let sizes = [100, 300, 1000, 3000, 10_000]

    // MARK: Limits

    private func limits(_ costs: ScalingCosts) {
        let group = "validators that half of one Redis renews"
        let points = ScalingLimits.intervals.map {
            [$0, ScalingLimits.validators(renewInterval: $0, part: 0.5, costs)]
        }
        report.series(Series(group: group, subject: "model", xUnit: "s", yUnit: "validators", points: points))
        for hasReplicas in [false, true] {
            let points = Self.sizes.map { size -> [Double] in
                let shape = FleetShape(
                    validators: size, renewInterval: 5, revocations: 100, confirmations: 0, hasReplicas: hasReplicas)
                return [Double(size), ScalingLimits.revocations(shape, part: 0.5, costs)]
            }
            report.series(
                Series(
                    group: "revocations per second that half of one Redis carries, renewed every 5 s",
                    subject: hasReplicas ? "a replica in each region" : "all at one Redis", xUnit: "validators",
                    yUnit: "/s", points: points))
        }
        let confirmations = Self.sizes.map {
            [Double($0), ScalingLimits.confirmations(validators: $0, part: 0.5, costs)]
        }
        report.series(
            Series(
                group: "confirmations per second that half of an issuer's core carries", subject: "model",
                xUnit: "validators", yUnit: "/s", points: confirmations))
        let shape = FleetShape(validators: 10_000, renewInterval: 5, revocations: 100, confirmations: 0)
        report.say(
            """
              10,000 validators: a subscriber may be silent for \(Report.text(ScalingLimits.silence(shape, costs))) s \
            at 100 revocations/s; a burst of 1000 takes \
            \(Report.text(ScalingLimits.burstBytes(shape, messages: 1000, costs) / 1e6)) MB of output buffers
            """)
    }

    // MARK: Simulation

    private func simulate(_ costs: ScalingCosts) {
        report.say("  three regions, 10 revocations/s, 0.2 of them waited for; parts of a core; milliseconds")
        report.say(
            "  validators    renew  replicas   Redis  issuer        full first  confirmed p50        p99  "
                + "applied p99  late grants")
        for interval in [1.0, 5.0] {
            for hasReplicas in [false, true] {
                var medians: [[Double]] = []
                var tails: [[Double]] = []
                var busy: [[Double]] = []
                for size in Self.sizes {
                    let shape = FleetShape(
                        validators: size, renewInterval: interval, revocations: 10, confirmations: 0.2,
                        hasReplicas: hasReplicas)
                    let outcome = row(shape, costs)
                    busy.append([Double(size), outcome.utilisation])
                    guard outcome.confirmed.count > 0 else { continue }
                    medians.append([Double(size), outcome.confirmed.median / 1000])
                    tails.append([Double(size), outcome.confirmed.p99 / 1000])
                }
                let name = "renewed every \(Int(interval)) s" + (hasReplicas ? ", a replica in each region" : "")
                for (what, unit, points) in [
                    ("confirmed, p50, three regions", "ms", medians), ("confirmed, p99, three regions", "ms", tails),
                    ("part of Redis that is busy, three regions", "part", busy),
                ] {
                    report.series(
                        Series(group: what, subject: name, xUnit: "validators", yUnit: unit, points: points))
                }
            }
        }
    }

    @discardableResult
    private func row(_ shape: FleetShape, _ costs: ScalingCosts) -> ScalingSimulation.Outcome {
        var simulation = ScalingSimulation(shape, costs, seconds: report.choose(100, 300))
        let outcome = simulation.run()
        let utilisation = Utilisation(shape, costs)
        let late = outcome.grants > 0 ? Double(outcome.lateGrants) / Double(outcome.grants) : .nan
        let columns = [
            ("\(shape.validators)", 12), (Report.text(shape.renewInterval) + " s", 9),
            (shape.hasReplicas ? "yes" : "no", 10), (Report.text(utilisation.total), 8),
            (Report.text(ScalingLimits.issuer(shape, costs)), 8), (ScalingLimits.first(shape, costs), 18),
            (Report.text(outcome.confirmed.median / 1000), 15), (Report.text(outcome.confirmed.p99 / 1000), 11),
            (Report.text(outcome.applied.p99 / 1000), 13), (Report.text(late), 13),
        ]
        let line = columns.reduce("") { $0 + String(repeating: " ", count: max(1, $1.1 - $1.0.count)) + $1.0 }
        report.say(line + (outcome.unconfirmed > 0 ? "  \(outcome.unconfirmed) unconfirmed at the end" : ""))
        return outcome
    }

    // MARK: Settings

    private func recommend(_ costs: ScalingCosts) {
        report.say("  settings that leave half of Redis free, at 10 revocations/s of which 0.2 are waited for:")
        var points: [[Double]] = []
        for size in Self.sizes {
            let wish = FleetShape(validators: size, renewInterval: 1, revocations: 10, confirmations: 0.2)
            guard let shape = ScalingLimits.recommended(wish, costs) else {
                report.say("  \(size): none; more than one feed")
                continue
            }
            report.say(
                "  \(size): renew-interval \(Report.text(shape.renewInterval)) s, lease \(Report.text(shape.lease)) s"
                    + (shape.hasReplicas ? ", a replica in each region for the subscriptions" : "")
                    + "; half of an issuer confirms "
                    + Report.text(ScalingLimits.confirmations(validators: size, part: 0.5, costs)) + "/s")
            row(shape, costs)
            points.append([Double(size), shape.lease])
        }
        report.series(
            Series(
                group: "shortest lease that leaves half of one Redis free", subject: "model", xUnit: "validators",
                yUnit: "s", points: points))
    }
}
