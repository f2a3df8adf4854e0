/// What the model of a large fleet is given: measured on this machine, in microseconds of the core of Redis where
/// nothing else is said.
package struct ScalingCosts: Sendable {
    /// One renewal, with its request and its answer.
    package var renewal: Double
    /// One commit of one revocation, without what grows with the fleet.
    package var commit: Double
    /// What an awaited commit costs more for each node in the registry, which it answers.
    package var registryEntry: Double
    /// One message to one subscriber.
    package var delivery: Double
    /// Bytes of one message in the output buffer of one subscriber.
    package var messageBytes: Double
    /// What an issuer takes for one node's acknowledgement, in microseconds of its own core.
    package var acknowledgement: Double
    /// What that costs it more for each node of the fleet, for each revocation that is waited for: it looks at all.
    package var acknowledgementEntry: Double
    /// From a request at the issuer until its commit is sent, the synchronisation of the outbox included.
    package var issuing: Double
    /// The last question to Redis, without the registry that it answers.
    package var question: Double

    package init(
        renewal: Double, commit: Double, registryEntry: Double, delivery: Double, messageBytes: Double,
        acknowledgement: Double, acknowledgementEntry: Double, issuing: Double, question: Double
    ) {
        self.renewal = renewal
        self.commit = commit
        self.registryEntry = registryEntry
        self.delivery = delivery
        self.messageBytes = messageBytes
        self.acknowledgement = acknowledgement
        self.acknowledgementEntry = acknowledgementEntry
        self.issuing = issuing
        self.question = question
    }
}

/// Where validators are.
package struct Region: Sendable {
    package var name: String
    /// Part of all validators.
    package var share: Double
    /// To Redis and the issuer, which are in the first region, in microseconds.
    package var oneWay: Double

    package init(name: String, share: Double, oneWay: Double) {
        self.name = name
        self.share = share
        self.oneWay = oneWay
    }

    /// Half of them beside Redis, and two regions across an ocean each. Round trips of 0.5 ms, 80 ms and 160 ms.
    package static let three = [
        Region(name: "home", share: 0.5, oneWay: 250), Region(name: "second", share: 0.3, oneWay: 40_000),
        Region(name: "third", share: 0.2, oneWay: 80_000),
    ]
}

/// A fleet and what it does.
package struct FleetShape: Sendable {
    package var validators: Int
    package var regions: [Region]
    /// Seconds.
    package var renewInterval: Double
    package var leaseInIntervals = 5.0
    /// In a second, confirmed ones included.
    package var revocations: Double
    /// In a second.
    package var confirmations: Double
    /// Whether each region subscribes to a replica of its own: Redis passes what is published on to its replicas.
    package var hasReplicas: Bool

    package init(
        validators: Int, regions: [Region] = Region.three, renewInterval: Double, revocations: Double,
        confirmations: Double, hasReplicas: Bool = false
    ) {
        self.validators = validators
        self.regions = regions
        self.renewInterval = renewInterval
        self.revocations = revocations
        self.confirmations = confirmations
        self.hasReplicas = hasReplicas
    }

    package var lease: Double { renewInterval * leaseInIntervals }

    /// Connections that Redis itself delivers to.
    package var directSubscribers: Int { hasReplicas ? regions.count : validators }
}

/// How much of the core of Redis each thing takes: 1 is all of it.
package struct Utilisation: Equatable, Sendable {
    package var renewals: Double
    package var deliveries: Double
    /// Commits themselves, and answering the registry to those that are awaited: with the commit, and at the end.
    package var commits: Double
    /// Renewals that acknowledge, one of each validator for each confirmation.
    package var acknowledgements: Double

    package var total: Double { renewals + deliveries + commits + acknowledgements }

    package init(_ shape: FleetShape, _ costs: ScalingCosts) {
        let nodes = Double(shape.validators)
        renewals = nodes / shape.renewInterval * costs.renewal / 1e6
        deliveries = shape.revocations * Double(shape.directSubscribers) * costs.delivery / 1e6
        commits = (shape.revocations * costs.commit + shape.confirmations * nodes * costs.registryEntry * 2) / 1e6
        acknowledgements = shape.confirmations * nodes * (costs.renewal + costs.delivery) / 1e6
    }

    /// What takes most.
    package var greatest: String {
        let parts = [
            ("renewals", renewals), ("deliveries", deliveries), ("commits", commits),
            ("acknowledgements", acknowledgements),
        ]
        return parts.max { $0.1 < $1.1 }?.0 ?? ""
    }
}

/// What the model says of limits, without simulating anything.
package enum ScalingLimits {
    /// Validators whose renewals alone take this part of Redis.
    package static func validators(renewInterval: Double, part: Double, _ costs: ScalingCosts) -> Double {
        part * renewInterval * 1e6 / costs.renewal
    }

    /// Revocations in a second that fill what the renewals of a fleet leave of this part of Redis; 0 for none.
    package static func revocations(_ shape: FleetShape, part: Double, _ costs: ScalingCosts) -> Double {
        let left = part - Utilisation(shape, costs).renewals
        return max(0, left * 1e6 / (costs.commit + Double(shape.directSubscribers) * costs.delivery))
    }

    /// How long a subscriber may read nothing before Redis cuts it off, in seconds: 32 MB by default
    /// (`client-output-buffer-limit pubsub 32mb 8mb 60`), or more than 8 MB for a minute.
    package static func silence(_ shape: FleetShape, _ costs: ScalingCosts) -> Double {
        let rate = shape.revocations * costs.messageBytes
        guard rate > 0 else { return .infinity }
        return min(32 * 1_048_576 / rate, 60 + 8 * 1_048_576 / rate)
    }

    /// Memory of Redis that a burst takes while no subscriber has read it: each has a copy of its own.
    package static func burstBytes(_ shape: FleetShape, messages: Int, _ costs: ScalingCosts) -> Double {
        Double(messages) * costs.messageBytes * Double(shape.directSubscribers)
    }

    /// What is full first when everything grows alike.
    package static func first(_ shape: FleetShape, _ costs: ScalingCosts) -> String {
        let use = Utilisation(shape, costs)
        return issuer(shape, costs) > use.total ? "issuer" : use.greatest
    }

    /// Confirmations in a second that this part of an issuer's core carries.
    package static func confirmations(validators: Int, part: Double, _ costs: ScalingCosts) -> Double {
        let nodes = Double(validators)
        return part * 1e6 / (nodes * (costs.acknowledgement + nodes * costs.acknowledgementEntry))
    }

    /// Part of an issuer's core that confirmations take: each node's acknowledgement has it look at all nodes.
    package static func issuer(_ shape: FleetShape, _ costs: ScalingCosts) -> Double {
        let nodes = Double(shape.validators)
        return shape.confirmations * nodes * (costs.acknowledgement + nodes * costs.acknowledgementEntry) / 1e6
    }

    package static let intervals = [0.5, 1, 2, 3, 5, 10, 20, 30, 60]
    /// Above this, waiting in line begins to be felt.
    package static let target = 0.5

    /// The shortest interval between renewals at which Redis is at most half busy, with replicas only where deliveries
    /// alone would take more than half of that; nil when there is none.
    package static func recommended(_ shape: FleetShape, _ costs: ScalingCosts) -> FleetShape? {
        var shape = shape
        shape.hasReplicas = Utilisation(shape, costs).deliveries > target / 2
        for interval in intervals {
            shape.renewInterval = interval
            if Utilisation(shape, costs).total <= target { return shape }
        }
        return nil
    }
}
