import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// What a user wants to be kept posted on, whether a client is connected or not. Seed: start and stop polling.
extension ClientGateway {
    /// `PUT …/org.presenced/presence/interest`: `{"list":true}` or `{"groups"?,"users"?}`, `"timeout_ms"?` → 200
    /// `{"until_ts"}`. The list, and members of groups, are meant as they are at any time.
    func putInterest(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let body = try InterestBody.decode(try await self.body(of: request))
        let now = await runtime.read { _, now in now }
        let until = now.advanced(byMilliseconds: body.timeoutMilliseconds)
        try await perform(.interestSet(key.user, PresenceEngine.InterestScope(body.scope), until: until))
        let held = await runtime.read { engine, _ in engine.interest(of: key.user)?.until }
        return .json(CanonicalJSON.encode(["until_ts": .integer((held ?? until).millisecondsSinceEpoch)]))
    }

    /// `GET …/org.presenced/presence/interest` → 200 `{"list":true,"until_ts"}`, `{"groups","users","until_ts"}`, or
    /// `{"implied":true}` where the user's clients decide by being connected.
    func getInterest(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let held = await runtime.read { engine, now in
            engine.interest(of: key.user).flatMap { $0.until > now ? $0 : nil }
        }
        guard let held else { return .json(CanonicalJSON.encode(["implied": true])) }
        let until = JSONValue.integer(held.until.millisecondsSinceEpoch)
        switch held.scope {
        case .wholeList:
            return .json(CanonicalJSON.encode(["list": true, "until_ts": until]))
        case .selected(let groups, let users):
            return .json(
                CanonicalJSON.encode([
                    "groups": .array(groups.map { .string($0.text) }),
                    "users": .array(users.map { .string($0.text) }),
                    "until_ts": until,
                ]))
        }
    }

    /// `DELETE …/org.presenced/presence/interest` → 200 `{}`: the user's clients decide again.
    func deleteInterest(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let now = await runtime.read { _, now in now }
        try await perform(.interestSet(key.user, nil, until: now))
        return .emptyObject
    }
}

extension PresenceEngine.InterestScope {
    init(_ scope: InterestBody.Scope) {
        switch scope {
        case .wholeList: self = .wholeList
        case .some(let groups, let users): self = .selected(groups: groups, users: users)
        }
    }
}
