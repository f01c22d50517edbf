import PresenceModel

/// Where a server is reached, and who it must prove to be.
struct ServerRoute: Hashable, Sendable {
    /// A name or an address, and the port there.
    struct Target: Hashable, Sendable {
        /// A DNS name, or an IP address without brackets.
        var host: String
        var port: Int
        /// Set by the operator, so the guard does not ask where it leads.
        var isOperators = false
    }

    /// Tried in this order; not empty.
    var targets: [Target]
    /// The `Host` header.
    var host: String
    /// The name that the certificate must be for: a DNS name, or an IP address without brackets.
    var certificateName: String
    /// The step of the specification that led here, `3.3`; for logs.
    var step: String
}

extension ServerName {
    /// The host without brackets.
    var bareHost: String { host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host }

    /// The port that is used where neither name nor DNS says one. Spec: resolving server names.
    static let defaultPort = 8448
}

/// One `SRV` record.
struct ServiceRecord: Hashable, Sendable {
    /// Lower ones are tried first.
    var priority: Int
    /// Among the same priority, a share of the choice.
    var weight: Int
    var port: Int
    /// Without the dot at its end; empty where the record says that there is no such service.
    var host: String

    /// The records in the order to try them: by priority, and by chance among the same priority, each first with the
    /// share that its weight is of all. RFC 2782.
    static func ordered(
        _ records: [ServiceRecord], using chance: inout some RandomNumberGenerator
    ) -> [ServiceRecord] {
        // A fixed order to begin with: what chance decides depends on nothing else. Those without weight first.
        var left = records.sorted {
            ($0.priority, $0.weight, $0.host, $0.port) < ($1.priority, $1.weight, $1.host, $1.port)
        }
        var chosen: [ServiceRecord] = []
        while let priority = left.first?.priority {
            let count = left.prefix { $0.priority == priority }.count
            var mark = Int.random(in: 0...left[..<count].reduce(0) { $0 + $1.weight }, using: &chance)
            var index = 0
            while index < count - 1, mark > left[index].weight {
                mark -= left[index].weight
                index += 1
            }
            chosen.append(left.remove(at: index))
        }
        return chosen
    }
}
