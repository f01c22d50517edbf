import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime

extension AdminGateway {
    /// `GET /_presenced/admin/v1/metrics` → 200, numbers in Prometheus' text format: users, other servers, the social
    /// service, the database, the bridge. No names of users.
    func getMetrics(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let (users, peers) = await runtime.inspect { instance, now in
            (instance.presence.userCount, instance.federation.peers(limit: 0, at: now).total)
        }
        var all = [
            Metric("presenced_presence_users", .gauge, "Users of whose presence anything is known.", users),
            Metric("presenced_federation_peers", .gauge, "Other servers with which anything is exchanged.", peers),
        ]
        if let report = await social?() { all += report.metrics }
        all += await metrics()
        return .text(MetricsText.write(all), contentType: MetricsText.contentType)
    }
}

extension SocialReport {
    var metrics: [Metric] {
        var all = [
            Metric("presenced_social_connections", .gauge, "WebSockets that stand.", connections),
            Metric(
                "presenced_social_connections_refused_total", .counter, "WebSockets for which there was no room.",
                connectionsRefused),
            Metric("presenced_social_streams", .gauge, "Streams on them.", streams),
            Metric("presenced_social_calls_total", .counter, "Calls of clients.", callsStarted),
            Metric("presenced_social_users", .gauge, "Users of whom anything is known.", users),
            Metric("presenced_social_users_there", .gauge, "Users who are in the social service.", usersThere),
            Metric("presenced_social_pairs", .gauge, "Pairs of users between whom anything ever was.", pairs),
            Metric("presenced_social_subscriptions", .gauge, "Open subscriptions.", subscriptions),
            Metric("presenced_social_changes_not_stored", .gauge, "Changes not on disk yet.", changesNotStored),
        ]
        if let redis {
            all.append(
                Metric("presenced_social_redis_up", .gauge, "Redis is connected.", redis.isConnected ? 1 : 0))
        }
        return all
    }
}
