"""moto, with StackSets that organizational units have.

By itself, moto creates the instances of a StackSet and leaves out the rest: it updates no instance, deletes none of a
unit, and deploys nothing when an account joins. What is here is as AWS documents it:

- UpdateStackSet without accounts and Regions updates all instances, and DeleteStackInstances takes units: botocore's
  model;
- an account that is added to a unit gets the stacks, in the order of `DependsOn`, and one that leaves loses them:
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-manage-auto-deployment.html;
- the management account gets none: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html.
"""

from types import SimpleNamespace

from moto.cloudformation.models import StackInstances, StackSet, cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse
from moto.organizations.models import OrganizationsBackend, organizations_backends


def organization(account):
    """The organization of an account: moto gives a member account another one, which is empty."""
    management, _ = organizations_backends.master_accounts.get(account, (account, "aws"))
    return organizations_backends[management]["aws"]


def make_stack_sets(monkeypatch):
    create, update, create_set, delete, move = (
        StackInstances.create_instances,
        StackSet.update,
        CloudFormationResponse.create_stack_set,
        CloudFormationResponse.delete_stack_instances,
        OrganizationsBackend.move_account,
    )

    def members(self):
        backend = organization(self.account_id)
        accounts = [account for account in backend.accounts if account.id != backend.account_id]
        return SimpleNamespace(accounts=accounts, ou=backend.ou)

    def create_and_remember(self, accounts, regions, parameters, deployment_targets, permission_model):
        units = deployment_targets.get("OrganizationalUnitIds", [])
        self.targets = targets(self) | {(unit, region) for unit in units for region in regions}
        return create(self, accounts, regions, parameters, deployment_targets, permission_model)

    def update_all(self, template, *arguments, **more):
        operation = update(self, template, *arguments, **more)
        self.instances.template, self.instances.parameters = self.template, self.parameters
        for instance in self.stack_instances:
            instance.template = self.template
            instance.stack.update(self.template, parameters=self.parameters)
        return operation

    def create_set_with_deployment(self):
        answer = create_set(self)
        found = self.cloudformation_backend.describe_stack_set(self._get_param("StackSetName"))
        found.auto_deployment = self._get_params().get("AutoDeployment", {})
        return answer

    def delete_of_units(self):
        units = self._get_params().get("DeploymentTargets", {}).get("OrganizationalUnitIds", [])
        instances = self.cloudformation_backend.describe_stack_set(self._get_param("StackSetName")).instances
        regions = self._get_param("Regions", [])
        instances.targets = targets(instances) - {(unit, region) for unit in units for region in regions}
        instances.delete([account.id for account in members(instances).accounts if account.parent_id in units], regions)
        return delete(self)

    def move_and_deploy(self, **given):
        move(self, **given)
        found = [stack_set for region in regions_of(self) for stack_set in region.stacksets.values()]
        # The newest one first, unless it depends on another one: so DependsOn matters.
        for stack_set in in_order(reversed(found)):
            for unit, region in targets(stack_set.instances):
                if unit == given["SourceParentId"]:
                    stack_set.instances.delete([given["AccountId"]], [region])
                if unit == given["DestinationParentId"]:
                    stack_set.create_stack_instances([], [region], {"OrganizationalUnitIds": [unit]}, [])

    monkeypatch.setattr(StackInstances, "org_backend", property(members))
    monkeypatch.setattr(StackInstances, "create_instances", create_and_remember)
    monkeypatch.setattr(StackSet, "update", update_all)
    monkeypatch.setattr(CloudFormationResponse, "create_stack_set", create_set_with_deployment)
    monkeypatch.setattr(CloudFormationResponse, "delete_stack_instances", delete_of_units)
    monkeypatch.setattr(OrganizationsBackend, "move_account", move_and_deploy)


def targets(instances):
    """The units that a StackSet has, each with a Region."""
    return getattr(instances, "targets", set())


def regions_of(organization):
    accounts = [account.id for account in organization.accounts]
    return [backend for account in accounts for backend in cloudformation_backends[account].values()]


def in_order(stack_sets):
    """Those that are deployed when an account joins, each after what it depends on."""
    left = [found for found in stack_sets if found.status == "ACTIVE" and deployment(found).get("Enabled")]
    while left:
        arns = {found.arn for found in left}
        ready = [found for found in left if not arns & set(deployment(found).get("DependsOn", []))]
        assert ready, "StackSets that depend on each other"
        yield from ready
        left = [found for found in left if found not in ready]


def deployment(stack_set):
    return getattr(stack_set, "auto_deployment", {})
