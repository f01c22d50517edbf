import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// Groups on a presence list. Seed: presence list, groups.
extension ClientGateway {
    /// `GET …/org.presenced/presence/list/groups` → 200 `{"groups":[{"name","members":["@user:server",…]}]}`, in the
    /// order of names.
    func getGroups(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let groups = await runtime.read { engine, _ in engine.groups(of: key.user) }
        let values: [JSONValue] = groups.map { group in
            ["name": .string(group.name.text), "members": .array(group.members.map { .string($0.text) })]
        }
        return .json(CanonicalJSON.encode(["groups": .array(values)]))
    }

    /// `PUT …/org.presenced/presence/list/groups/{name}`: `{"name"?}` → 200 `{}`: makes the group, also if it is there;
    /// with a `name`, gives the one that is there that name.
    func putGroup(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let name = try group(in: request, at: 0)
        let body = try PresenceGroupBody.decode(try await self.body(of: request))
        if let newName = body.name {
            try await perform(.groupRenamed(key.user, name, to: newName))
        } else {
            try await perform(.groupAdded(key.user, name))
        }
        return .emptyObject
    }

    /// `DELETE …/org.presenced/presence/list/groups/{name}` → 200 `{}`; 404 without such a group. Its members stay on
    /// the list.
    func deleteGroup(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        try await perform(.groupRemoved(key.user, try group(in: request, at: 0)))
        return .emptyObject
    }

    /// `PUT …/org.presenced/presence/list/groups/{name}/members/{userId}` → 200 `{}`; 404 without such a group or
    /// entry. The body is not looked at.
    func putGroupMember(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let name = try group(in: request, at: 0)
        try await perform(.memberAdded(key.user, name, try somebody(in: request, at: 1)))
        return .emptyObject
    }

    /// `DELETE …/org.presenced/presence/list/groups/{name}/members/{userId}` → 200 `{}`; 404 without such a group or
    /// entry.
    func deleteGroupMember(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let name = try group(in: request, at: 0)
        try await perform(.memberRemoved(key.user, name, try somebody(in: request, at: 1)))
        return .emptyObject
    }
}
