import BridgeEngine
import MatrixWire
import PresenceModel
import SocialBridge
import SocialEngine

extension BridgeAccount {
    /// As users and the operator read it.
    var json: JSONValue {
        var object = JSONObject()
        if let link = view.link {
            object["address"] = .string(link.address.text)
            object["sources"] = view.sources.json
        }
        object["participates"] = .bool(view.participates)
        object["chosen"] = view.choice.map { .bool($0) } ?? .null
        object["privacy"] = .string(view.privacy.rawValue)
        object["sessions"] = .array(sessions.map(\.json))
        object["credentials"] = .array(credentials.map(\.json))
        return .object(object)
    }
}

extension BridgeAccount.Session {
    fileprivate var json: JSONValue {
        var object = JSONObject()
        object["service"] = .string(service.rawValue)
        object["open"] = .bool(isOpen)
        if let closedSince { object["closed_since_ts"] = .integer(closedSince.millisecondsSinceEpoch) }
        if let latestFailure { object["latest_failure"] = .string(latestFailure) }
        return .object(object)
    }
}

extension CredentialView {
    fileprivate var json: JSONValue {
        var object = JSONObject()
        object["kind"] = .string(kind.rawValue)
        object["state"] = .string(state.rawValue)
        object["address"] = .string(address.text)
        if let expires { object["expires_ts"] = .integer(expires.millisecondsSinceEpoch) }
        return .object(object)
    }
}

extension LinkPage {
    var json: JSONValue {
        let links = rows.map { row -> JSONValue in
            [
                "user": .string(row.link.user.text), "address": .string(row.link.address.text),
                "sources": row.sources.json, "live": .bool(row.isLive),
            ]
        }
        var object = JSONObject()
        object["links"] = .array(links)
        object["total"] = .integer(Int64(total))
        if let next { object["next"] = .string(next.text) }
        return .object(object)
    }
}

extension [LinkSource] {
    /// None of a table: the rule.
    fileprivate var json: JSONValue {
        isEmpty ? .array(["rule"]) : .array(map { .string($0.rawValue) })
    }
}

extension BridgeReport {
    /// As the operator reads it.
    var json: JSONValue {
        func count(_ number: Int) -> JSONValue { .integer(Int64(number)) }
        var object = JSONObject()
        object["service"] = .string(setting.service.rawValue)
        if let url = setting.url { object["url"] = .string(url) }
        if let generation = setting.generation { object["generation"] = .string(generation) }
        object["matrix"] = .string(setting.matrix)
        object["since_ts"] = .integer(setting.since.millisecondsSinceEpoch)
        object["links"] = count(counts.links)
        object["members"] = count(counts.members)
        object["ghosts"] = count(counts.ghosts)
        object["connections"] = count(social.connections)
        object["connections_limit"] = count(social.connectionsLimit)
        object["sessions"] = count(social.sessions)
        object["sessions_open"] = count(social.sessionsOpen)
        if let credentials {
            object["credentials_handed_over"] = count(credentials.handed)
            object["credentials_in_file"] = count(credentials.filed)
        }
        object["beating"] = count(counts.beating)
        object["heartbeats"] = count(tally.heartbeats)
        object["heartbeats_at_once"] = count(tally.promptHeartbeats)
        object["heartbeats_taken"] = count(social.heartbeatsTaken)
        object["sightings"] = count(tally.sightings)
        object["presented"] = count(tally.presented)
        object["echoes_suppressed"] = count(tally.echoesSuppressed)
        object["social_acts"] = count(tally.socialActs)
        object["list_edits"] = count(tally.listEdits)
        object["conflicts"] = count(tally.conflicts)
        object["orders_failed"] = count(tally.failures)
        var failures = JSONObject()
        for (kind, number) in social.failures.sorted(by: { $0.key < $1.key }) { failures[kind] = count(number) }
        object["failures"] = .object(failures)
        if let failure = social.latestFailure { object["latest_failure"] = .string(failure) }
        return .object(object)
    }
}
