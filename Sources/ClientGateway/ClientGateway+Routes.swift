import MatrixHTTP
import MatrixWire

extension ClientGateway {
    /// The path prefixes under which clients, old and new, look for presence. Spec: section 2.1 of the facts.
    static let prefixes = ["v3", "r0", "api/v1", "unstable"]
    /// Those under which there was a presence list. Facts: section 7.3.
    static let listPrefixes = ["r0", "api/v1", "unstable"]
    /// Where what is our own lies.
    static let own = "/_matrix/client/unstable/org.presenced"

    /// The client endpoints of a server without a homeserver.
    public var routes: RouteTable {
        RouteTable(
            [Route("GET", "/_matrix/client/versions") { _ throws(MatrixErrorBody) in getVersions() }] + presenceRoutes)
    }

    /// All but what a homeserver serves as well.
    public var presenceRoutes: [Route] {
        statusRoutes + overrideRoutes + deviceRoutes + listRoutes + groupRoutes + contactRoutes
    }

    /// Presence under every prefix that clients use, and who may know that it is there.
    private var statusRoutes: [Route] {
        var routes = [Route("GET", "\(ClientGateway.own)/presence/stream", streamPresence)]
        for prefix in ClientGateway.prefixes {
            let path = "/_matrix/client/\(prefix)/presence/*/status"
            routes += [Route("GET", path, getPresenceStatus), Route("PUT", path, putPresenceStatus)]
        }
        for prefix in ClientGateway.listPrefixes {
            let path = "/_matrix/client/\(prefix)/presence/list/*"
            routes += [Route("GET", path, getLegacyPresenceList), Route("POST", path, postLegacyPresenceList)]
        }
        return routes
    }

    private var overrideRoutes: [Route] {
        ["unstable/support.feline.msc4043.v1", "v1"].flatMap { prefix in
            let path = "/_matrix/client/\(prefix)/presence/*/override"
            return [
                Route("GET", path, getPresenceOverride), Route("PUT", path, putPresenceOverride),
                Route("DELETE", path, deletePresenceOverride),
            ]
        }
    }

    private var deviceRoutes: [Route] {
        let path = "\(ClientGateway.own)/devices/*/presence"
        return [
            Route("GET", "\(ClientGateway.own)/devices", getDevices),
            Route("GET", path, getDevicePresence),
            Route("PUT", path, putDevicePresence),
            Route("DELETE", path, deleteDevicePresence),
        ]
    }

    private var listRoutes: [Route] {
        let list = "\(ClientGateway.own)/presence/list"
        return [
            Route("GET", list, getPresenceList),
            Route("GET", "\(list)/*", getListEntry),
            Route("PUT", "\(list)/*", putListEntry),
            Route("DELETE", "\(list)/*", deleteListEntry),
            Route("GET", "\(list)/requests", getListRequests),
            Route("POST", "\(list)/requests/*/accept", acceptListRequest),
            Route("POST", "\(list)/requests/*/deny", denyListRequest),
            Route("POST", "\(list)/requests/*/block", blockListRequest),
            Route("GET", "\(list)/grants", getGrants),
            Route("DELETE", "\(list)/grants/*", deleteGrant),
            Route("GET", "\(list)/blocks", getBlocks),
            Route("PUT", "\(list)/blocks/*", putBlock),
            Route("DELETE", "\(list)/blocks/*", deleteBlock),
            Route("GET", "\(list)/policy", getListPolicy),
            Route("PUT", "\(list)/policy", putListPolicy),
        ]
    }

    private var groupRoutes: [Route] {
        let groups = "\(ClientGateway.own)/presence/list/groups"
        return [
            Route("GET", groups, getGroups),
            Route("PUT", "\(groups)/*", putGroup),
            Route("DELETE", "\(groups)/*", deleteGroup),
            Route("PUT", "\(groups)/*/members/*", putGroupMember),
            Route("DELETE", "\(groups)/*/members/*", deleteGroupMember),
        ]
    }

    private var contactRoutes: [Route] {
        let interest = "\(ClientGateway.own)/presence/interest"
        let policy = "\(ClientGateway.own)/contact_policy"
        return [
            Route("GET", interest, getInterest),
            Route("PUT", interest, putInterest),
            Route("DELETE", interest, deleteInterest),
            Route("GET", policy, getContactPolicy),
            Route("PUT", policy, putContactPolicy),
            Route("POST", "\(policy)/check", checkContact),
        ]
    }
}
