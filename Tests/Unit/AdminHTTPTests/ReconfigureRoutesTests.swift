// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AdminHTTP

@Suite struct ReconfigureRoutesTests {
    private let fixture = FrontFixture()

    @Test func nothingIsReconfigurable() async throws {
        try await self.fixture.expect(
            "GET",
            "/reconfigure/DAX/l2/status",
            "",
            200,
            #"{"enabled":false,"backend":"dax","num_adapters":0,"adapters":[]}"#
        )
        try await self.fixture.expect(
            "POST",
            "/reconfigure/fs/l2/remove",
            "{}",
            404,
            #"{"error":"fs adapter not found"}"#
        )
        try await self.fixture.expect(
            "POST",
            "/reconfigure/dax/l2/shrink",
            "{}",
            400,
            #"{"error":"unsupported dax reconfigure operation: shrink"}"#
        )
        try await self.fixture.expect(
            "POST",
            "/reconfigure/%20/l2/add",
            "{}",
            400,
            #"{"error":"backend must be non-empty"}"#
        )
        let response = try await self.fixture.ask("POST", "/reconfigure/fs/l2/add", #"{"adapter_index":"x"}"#)
        #expect(response.status == 422)
    }

    @Test(arguments: [("GET", "status"), ("POST", "add"), ("POST", "remove")])
    func l1IsNotDeviceDAX(method: String, operation: String) async throws {
        try await self.fixture.expect(
            method,
            "/reconfigure/dax/l1/\(operation)",
            "",
            409,
            #"{"error":"L1 is not Device-DAX backed (--l1-devdax-path not set)"}"#
        )
    }
}
