import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// One entry of a presence list. Seed: add to and remove from the list.
extension ClientGateway {
    /// `GET …/org.presenced/presence/list/{userId}` → 200, the entry as in ``getPresenceList(_:)``; 404 without one.
    func getListEntry(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let observed = try somebody(in: request, at: 0)
        let (entry, now) = await entry(of: observed, on: key.user)
        guard let entry else { throw MatrixErrorBody(.noSuchEntry) }
        var writer = JSONWriter()
        write(entry, at: now, to: &writer)
        return .json(writer.bytes)
    }

    /// `PUT …/org.presenced/presence/list/{userId}`: `{"note"?,"acl"?,"groups"?}` → 200 `{"state"}`, on disk by then:
    /// asks to see the user, again if that was denied. Note and pointer are replaced; so are the groups, if given.
    func putListEntry(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let observed = try somebody(in: request, at: 0)
        let body = try PresenceListEntryBody.decode(try await self.body(of: request))
        if let wanted = body.groups {
            let known = await runtime.read { engine, _ in engine.groups(of: key.user).map(\.name) }
            guard wanted.allSatisfy(known.contains) else { throw MatrixErrorBody(.noSuchGroup) }
        }
        try await perform(.entryAdded(observer: key.user, observed: observed, note: body.note, acl: body.acl))
        if let wanted = body.groups { try await move(observed, to: wanted, on: key.user) }
        let state = await entry(of: observed, on: key.user).entry?.entry.state ?? .denied
        return .json(CanonicalJSON.encode(["state": .string(state.rawValue)]))
    }

    /// `DELETE …/org.presenced/presence/list/{userId}` → 200 `{}`, also without an entry. Whether the other sees the
    /// caller stays as it is.
    func deleteListEntry(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let observed = try somebody(in: request, at: 0)
        try await perform(.entryRemoved(observer: key.user, observed: observed))
        return .emptyObject
    }

    private func entry(
        of observed: UserID, on observer: UserID
    ) async -> (entry: PresenceEngine.EntryView?, now: Instant) {
        await runtime.read { engine, now in (engine.list(of: observer).first { $0.user == observed }, now) }
    }

    private func move(
        _ observed: UserID, to wanted: [GroupName], on observer: UserID
    ) async throws(MatrixErrorBody) {
        let before = await entry(of: observed, on: observer).entry?.groups ?? []
        for name in before where !wanted.contains(name) {
            try await perform(.memberRemoved(observer, name, observed))
        }
        for name in wanted where !before.contains(name) {
            try await perform(.memberAdded(observer, name, observed))
        }
    }
}
