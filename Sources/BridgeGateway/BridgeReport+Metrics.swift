import AdminGateway
import BridgeEngine
import SocialBridge

extension BridgeReport {
    /// The numbers of all bridges, each with the label `service`.
    public static func metrics(_ reports: [BridgeReport]) -> [Metric] {
        func samples(_ number: (BridgeReport) -> Int) -> [Metric.Sample] {
            reports.map { Metric.Sample(number($0), [Metric.Label("service", $0.setting.service.rawValue)]) }
        }
        func gauge(_ name: String, _ help: String, _ number: (BridgeReport) -> Int) -> Metric {
            Metric("presenced_bridge_\(name)", .gauge, help, samples(number))
        }
        func counter(_ name: String, _ help: String, _ number: (BridgeReport) -> Int) -> Metric {
            Metric("presenced_bridge_\(name)_total", .counter, help, samples(number))
        }
        return [
            gauge("links", "Links of tables, and by rule of who takes part.") { $0.counts.links },
            gauge("members", "Linked users who take part.") { $0.counts.members },
            gauge("ghosts", "Matrix users that stand for friends who have none.") { $0.counts.ghosts },
            gauge("connections", "Connections that stand.") { $0.social.connections },
            gauge("connections_limit", "The most connections that there may be.") { $0.social.connectionsLimit },
            gauge("sessions", "Users for whom a session is tried.") { $0.social.sessions },
            gauge("sessions_open", "Users whom the service takes.") { $0.social.sessionsOpen },
            Metric(
                "presenced_bridge_credentials", .gauge, "Users of whom there is a credential, by whence.",
                reports.flatMap { report -> [Metric.Sample] in
                    let service = Metric.Label("service", report.setting.service.rawValue)
                    guard let credentials = report.credentials else { return [] }
                    return [
                        Metric.Sample(credentials.handed, [service, Metric.Label("source", "user")]),
                        Metric.Sample(credentials.filed, [service, Metric.Label("source", "file")]),
                    ]
                }),
            gauge("beating", "Users in whose name heartbeats are sent.") { $0.counts.beating },
            counter("heartbeats", "Heartbeats ordered.") { $0.tally.heartbeats },
            counter("prompt_heartbeats", "Heartbeats ordered at once, for a change.") { $0.tally.promptHeartbeats },
            counter("heartbeats_taken", "Heartbeats that the service took.") { $0.social.heartbeatsTaken },
            counter("sightings", "What was told of friends.") { $0.tally.sightings },
            counter("presented", "Changes of friends shown in Matrix.") { $0.tally.presented },
            counter("echoes_suppressed", "What came back and was known for the bridge's own.") {
                $0.tally.echoesSuppressed
            },
            counter("social_acts", "Orders about friendships to the social service.") { $0.tally.socialActs },
            counter("list_edits", "Orders about friendships to presence lists.") { $0.tally.listEdits },
            counter("conflicts", "Friendships decided that both sides had changed.") { $0.tally.conflicts },
            counter("orders_failed", "Orders that failed or were refused.") { $0.tally.failures },
            Metric(
                "presenced_bridge_failures_total", .counter, "Failures of sessions, by kind.",
                reports.flatMap { report in
                    report.social.failures.sorted { $0.key < $1.key }.map { kind, number in
                        Metric.Sample(
                            number,
                            [Metric.Label("service", report.setting.service.rawValue), Metric.Label("kind", kind)])
                    }
                }),
        ]
    }
}
